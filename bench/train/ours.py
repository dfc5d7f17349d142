"""Training by `safeeraser.unlearning`, as the command line does it."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from unittest import mock

from peft.utils import SAFETENSORS_WEIGHTS_NAME
from safetensors import safe_open

from bench.train.task import Task, Trained
from safeeraser.models.load import LoadedModel
from safeeraser.records import Example
from safeeraser.unlearning.output import Output
from safeeraser.unlearning.run import unlearn


def train(task: Task, loaded: LoadedModel, examples: Sequence[Example], refusals: Sequence[str]) -> Trained:
    """Train on a task's rows."""
    losses: list[float] = []
    moments: list[float] = [time.perf_counter()]

    def note(_self: Output, entry: dict[str, float]) -> None:
        losses.append(entry["loss"])
        moments.append(time.perf_counter())

    with tempfile.TemporaryDirectory() as folder, mock.patch.object(Output, "log", note):
        adapter = unlearn(loaded, examples, refusals, task.method, task.settings, Path(folder) / "run")
        return Trained(losses, moments, _numbers(adapter / SAFETENSORS_WEIGHTS_NAME))


def _numbers(weights: Path) -> int:
    with safe_open(weights, framework="pt") as file:
        return sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118  not a mapping

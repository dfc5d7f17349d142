"""Training by `safeeraser.unlearning`, as the command line does it."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from pathlib import Path
from unittest import mock

from peft.utils import SAFETENSORS_WEIGHTS_NAME
from safetensors import safe_open

from bench.train.task import Clock, Task
from safeeraser.models.load import LoadedModel
from safeeraser.records import Example
from safeeraser.unlearning import run
from safeeraser.unlearning.collate import Collator
from safeeraser.unlearning.output import Output


def train(task: Task, loaded: LoadedModel, examples: Sequence[Example], refusals: Sequence[str], clock: Clock) -> None:
    """Train on a task's rows."""

    def note(_self: Output, entry: dict[str, float]) -> None:
        clock.step(entry["loss"])

    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.object(Output, "log", note),
        mock.patch.object(run, "Collator", lambda chat, **_: Collator(chat, packs=task.packed)),
    ):
        clock.start()
        adapter = run.unlearn(loaded, examples, refusals, task.method, task.settings, Path(folder) / "run")
        clock.numbers = _numbers(adapter / SAFETENSORS_WEIGHTS_NAME)


def _numbers(weights: Path) -> int:
    with safe_open(weights, framework="pt") as file:
        return sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118  not a mapping

"""Training by `safeeraser.unlearn`, as the command line does it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from unittest import mock

from bench.train.task import Task
from safeeraser.models.load import LoadedModel
from safeeraser.records import Example
from safeeraser.unlearn import unlearn
from safeeraser.unlearn.output import Output


def train(
    task: Task, loaded: LoadedModel, examples: Sequence[Example], refusals: Sequence[str]
) -> tuple[list[float], list[float]]:
    """Losses and moments (seconds) of all steps; the first moment is the start."""
    losses: list[float] = []
    moments: list[float] = [time.perf_counter()]

    def note(_self: Output, entry: dict[str, float]) -> None:
        losses.append(entry["loss"])
        moments.append(time.perf_counter())

    with tempfile.TemporaryDirectory() as folder, mock.patch.object(Output, "log", note):
        unlearn(loaded, examples, refusals, task.method, task.settings, Path(folder) / "run")
    return losses, moments

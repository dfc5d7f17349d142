"""The training bench compares like with like: ours and the reference recipe have the same losses, in less memory."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from bench.train.__main__ import TOLERANCE
from bench.train.task import KL, Task
from bench.train.worker import measure
from tests import tiny_random

pytestmark = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # PEFT's


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Task:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    loaded = tiny_random.load()
    loaded.model.save_pretrained(tmp_path / "model")
    loaded.processor.save_pretrained(tmp_path / "model")
    return Task(
        recipe="ours",
        method="",
        model=str(tmp_path / "model"),
        device="cpu",
        dtype="float32",
        steps=2,
        rows=2,
        batch=2,
        records=1,
        checkpointing=False,
        packed=False,
        count=False,
    )


@pytest.mark.parametrize("method", ["po+pd", "gd+pd", "kl+pd"])
def test_the_losses_are_those_of_the_reference_recipe(task: Task, method: str) -> None:
    task = replace(task, method=method)
    reference = measure(replace(task, recipe="reference"))
    assert len(set(reference["losses"])) == task.steps
    ways = [task, replace(task, batch=1, checkpointing=True)] if method in KL else [replace(task, packed=True)]
    for ours in map(measure, ways):
        assert ours["losses"] == pytest.approx(reference["losses"], abs=TOLERANCE["float32"] / 10)
        assert ours["trained_bytes"] == reference["trained_bytes"]
        assert reference["weights_bytes"] == ours["weights_bytes"] * (2 if method in KL else 1)
        assert len(ours["seconds"]) == task.steps

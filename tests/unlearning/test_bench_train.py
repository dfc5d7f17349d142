"""The training bench compares like with like: ours, the reference recipe and its peers have the same losses."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from typer import BadParameter

from bench.train.__main__ import TOLERANCE, Peer, main
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
    peer = measure(replace(task, recipe="open-unlearning", checkpointing=True))
    assert peer["losses"] == pytest.approx(reference["losses"], abs=TOLERANCE["float32"] / 10)


def test_the_step_that_is_counted_is_not_timed(task: Task) -> None:
    plain, counted = (measure(replace(task, method="po", count=each)) for each in (False, True))
    assert counted["losses"] == plain["losses"]
    assert (len(plain["seconds"]), plain["operations"]) == (task.steps, None)
    assert len(counted["seconds"]) == task.steps - 1
    assert counted["operations"] > 6 * plain["weights_bytes"] / 4  # one token would take as much


@pytest.mark.filterwarnings("ignore:`gradient_checkpointing`:FutureWarning")  # TRL's
def test_trl_trains_on_the_same_conversations(task: Task) -> None:
    pytest.importorskip("trl")
    found = measure(replace(task, method="po+pd", recipe="trl", checkpointing=True))
    assert found["losses"][0] == pytest.approx(found["token_mean"], abs=TOLERANCE["float32"] / 10)
    assert found["trained_bytes"] == measure(replace(task, method="po+pd"))["trained_bytes"]
    assert len(found["seconds"]) == task.steps


def test_without_trl_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(BadParameter, match="pip install trl"):
        main(peer=[Peer.TRL])

"""Two processes train as one does: the same losses, the same rates, the same adapter, one writer."""

from __future__ import annotations

import json
import signal as signals
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from safeeraser.errors import UserError
from safeeraser.unlearning.settings import UnlearnSettings
from tests.launching import errors, launch
from tests.unlearning import worker

CLOSE = {"rtol": 1e-5, "atol": 1e-5}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """All runs of `worker`, by one process and by two."""
    one, two = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("two")
    started = launch([two], module="tests.unlearning.worker")
    (one / "pictures").mkdir()
    multipliers = worker.train(one, one / "pictures")
    (one / "process-0.json").write_text(json.dumps({"multipliers": multipliers}))
    main, other = errors(started, 900)
    assert "unlearn po" in main
    assert "unlearn po" not in other, "only the main process shows how far it is"
    return one, two


@pytest.mark.parametrize("name", ["pd", "kl", "sam", "rmu", "pdu", "neutral"])
def test_losses_rates_and_adapter_are_equal(folders: tuple[Path, Path], name: str) -> None:
    one, two = (_log(folder / name) for folder in folders)
    assert [entry["step"] for entry in two] == [1, 2, 3]
    for alone, shared in zip(one, two, strict=True):
        assert shared["learning_rate"] == alone["learning_rate"]
        assert shared == pytest.approx(alone, rel=1e-5, abs=1e-5)
    torch.testing.assert_close(_weights(folders[1] / name), _weights(folders[0] / name), **CLOSE)


def test_the_members_of_a_soup_are_equal(folders: tuple[Path, Path]) -> None:
    one, two = (_weights(folder / "soup") for folder in folders)
    torch.testing.assert_close(two, one, **CLOSE)


def test_the_manifest_counts_what_all_processes_did(folders: tuple[Path, Path]) -> None:
    one, two = (json.loads((folder / "pd" / "manifest.json").read_text()) for folder in folders)
    assert (one["processes"], two["processes"]) == (1, 2)
    assert two["inputs"] == one["inputs"]
    assert two["steps"] == one["steps"]
    assert two["tokens_per_step"] == one["tokens_per_step"]


def test_dual_ascent_agrees_in_all_processes(folders: tuple[Path, Path]) -> None:
    """Each process sees other rows, so the multiplier has to follow the loss of all of them."""
    one, two = folders
    alone, *shared = (_seen(folder, rank)["multipliers"] for folder, rank in ((one, 0), (two, 0), (two, 1)))
    assert len(alone) == 3
    assert len({1.0, *alone}) == 4, "it moves at every step"
    assert shared[0] == shared[1] == pytest.approx(alone, rel=1e-5, abs=1e-5)
    assert alone[:2] == pytest.approx([entry["retain_weight"] for entry in _log(two / "pdu")[1:]], rel=1e-5)


def test_each_process_draws_its_own_dropout(folders: tuple[Path, Path]) -> None:
    """With equal draws the parts of a step would be thinned alike."""
    seen = [_seen(folders[1], rank) for rank in (0, 1)]
    assert [each["processes"] for each in seen] == [2, 2]
    assert seen[1]["seed"] == seen[0]["seed"] + 1 == UnlearnSettings(steps=1).seed + 1


def _seen(folder: Path, rank: int) -> dict[str, Any]:
    """What a process wrote about itself."""
    found: dict[str, Any] = json.loads((folder / f"process-{rank}.json").read_text())
    return found


def _log(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "loss.jsonl").read_text().splitlines()]


def _weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "adapter" / "adapter_model.safetensors")


@pytest.mark.parametrize(
    ("batch", "accumulation", "count", "share"),
    [(8, 1, 1, (8, 1)), (8, 1, 2, (4, 1)), (1, 16, 2, (1, 8)), (4, 4, 2, (4, 2)), (8, 3, 2, (6, 2)), (3, 1, 3, (1, 1))],
)
def test_rows_of_a_step_are_shared(batch: int, accumulation: int, count: int, share: tuple[int, int]) -> None:
    settings = UnlearnSettings(steps=1, batch_size=batch, accumulation=accumulation)
    assert settings.share(count) == share
    assert share[0] * share[1] * count == settings.rows_per_step


def test_rows_that_cannot_be_shared() -> None:
    with pytest.raises(UserError, match="3 x accumulation 5 = 15 rows, which 2 processes cannot share evenly"):
        UnlearnSettings(steps=1, batch_size=3, accumulation=5).share(2)


@pytest.mark.slow
@pytest.mark.parametrize(("signal", "minutes"), [("SIGKILL", "10"), ("SIGSTOP", "0.2")])
def test_a_process_that_is_gone_or_silent_ends_the_other(tmp_path: Path, signal: str, minutes: str) -> None:
    """A killed one is missed at once; one that does not answer, after the time that is allowed."""
    extra = {"SAFEERASER_TIMEOUT_MINUTES": minutes, "SAFEERASER_TEST_STEPS": "100000"}
    first, second = launch([tmp_path], module="tests.unlearning.worker", **extra)
    try:
        log = tmp_path / "pd" / "loss.jsonl"
        while not (log.exists() and log.stat().st_size):
            assert first.poll() is None, first.communicate()[1]
            time.sleep(0.1)
        second.send_signal(getattr(signals, signal))
        said = first.communicate(timeout=120)[1]
        assert first.returncode not in (0, None)
        assert "another process ended, or did not answer for" in said
    finally:
        for process in (first, second):
            process.kill()
            process.wait()

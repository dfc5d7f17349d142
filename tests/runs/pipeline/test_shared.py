"""Runs shared by two processes, joined by gloo: the files of one process, and an end for both when one is killed."""

from __future__ import annotations

import json
import random
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from safeeraser.cli import app
from tests.durability.killing import Started, start_together
from tests.launching import errors, launch, told_of_each_other
from tests.runs.pipeline import world
from tests.runs.pipeline.world import World

ATTACKS = (
    "attack_limit=4",
    "attacks=[{name: relearn-openers, sweep: [4x2]}, {name: prefill, sweep: ['1']}, {name: quantise, sweep: ['4']}, "
    "{name: rotation, sweep: ['15']}, {name: linear-probe, sweep: ['1']}, "
    "{name: universal-perturbation, sweep: ['5']}]",
)
ENDED = 30  # seconds after a kill


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> World:
    return world.make(tmp_path_factory.mktemp("world"))


def words(place: World, *more: str) -> list[str]:
    """A run whose judge is a model on this machine, so that there is something to share. Its replies are nonsense."""
    judge = f"judge={{name: local, model: {place.model}, max_tokens: 4}}"
    keys = ["dtype=float32", "methods=[vanilla,po]", "unlearn.lora_dropout=0", judge, "failure_limit=1", *more]
    return ["run", str(place.config), *keys]


def taken(place: World, name: str) -> Path:
    """A run's folder put aside, so that the next one has the same paths."""
    return Path(shutil.move(place.folder / "run", place.folder / name))


def compare(run: Path, straight: Path) -> None:
    """Answers, verdicts, figures and questions are equal byte for byte, adapters to 1e-5; nothing else is there."""
    names, wanted = ({str(path.relative_to(root)) for path in root.rglob("*")} for root in (run, straight))
    assert names == wanted
    exact = [name for name in names if Path(name).suffix in (".jsonl", ".png") or name.endswith("metrics.json")]
    assert len([name for name in exact if "generations" in name]) >= 2
    for name in exact:
        if not name.endswith("loss.jsonl"):
            assert (run / name).read_bytes() == (straight / name).read_bytes(), name
    for name in (name for name in names if name.endswith(".safetensors")):
        torch.testing.assert_close(load_file(run / name), load_file(straight / name), rtol=1e-5, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("more", [(), ATTACKS], ids=["run", "attacks"])
def test_two_processes_give_the_files_of_one(place: World, more: tuple[str, ...]) -> None:
    alone = CliRunner().invoke(app, words(place, *more))
    assert alone.exit_code == 0, alone.output
    one = taken(place, f"one-{len(more)}")
    main, other = errors(launch(words(place, *more)))
    two = taken(place, f"two-{len(more)}")
    compare(two, one)
    assert json.loads((two / "models/po/manifest.json").read_text())["processes"] == 2
    assert "judge local" in main
    assert not other, "the main process speaks for all"


@pytest.mark.slow
def test_killed_at_ten_random_moments(place: World) -> None:
    """Either process: the other ends by itself, and what they have left is no hindrance to the next start."""
    asked = words(place, "unlearn.steps=6", "unlearn.save_steps=2")
    ended(start_together(asked, told_of_each_other(2)))  # imports are in memory after it
    taken(place, "first")
    begin, both = time.monotonic(), start_together(asked, told_of_each_other(2))
    met(place, both)
    joined = time.monotonic() - begin
    ended(both)
    life, rng, waits = time.monotonic() - begin, random.Random(0), list[float]()
    straight = taken(place, "straight")
    while len(waits) < 10:
        both = start_together(asked, told_of_each_other(2))
        met(place, both)  # until then it is for the launcher to end the others
        victim, other = rng.sample(both, 2)
        victim.join(rng.uniform(0, life - joined))
        alive = victim.is_alive()
        victim.kill()
        begin = time.monotonic()
        other.join(ENDED)
        assert not other.is_alive(), f"still at work {ENDED} seconds after kill {len(waits) + 1}"
        if alive and other.exitcode != 0:
            waits.append(time.monotonic() - begin)
            print(f"killed: the other ended {waits[-1]:.1f} s later, with {other.exitcode}")
        else:  # all was done
            compare(place.folder / "run", straight)
            shutil.rmtree(place.folder / "run")
    ended(start_together(asked, told_of_each_other(2)))
    compare(taken(place, "rerun"), straight)
    print(f"{len(waits)} kills in runs of {life:.0f} s; the other ended {max(waits):.1f} s later at most")


def met(place: World, both: Sequence[Started]) -> None:
    """Wait until the main process has taken the folder, which it does once it has heard from the other."""
    owner = place.folder / ".run.owner"
    while all(process.is_alive() for process in both):
        if owner.exists() and f"process {both[0].pid} on" in owner.read_text():
            return  # a killed run has left its own
        time.sleep(0.1)


def ended(started: Sequence[Started]) -> None:
    """Wait for an end that is well."""
    for process in started:
        process.join()
    assert [process.exitcode for process in started] == [0] * len(started)


def test_an_error_of_another_process_says_which(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RANK", "3")
    found = CliRunner().invoke(app, ["run", str(tmp_path / "gone.yaml")])
    assert found.exit_code == 2
    assert found.output.startswith(f"process 3: error: {tmp_path / 'gone.yaml'}")


def test_what_shares_no_work_is_done_by_the_main_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    found = CliRunner().invoke(app, ["methods"])
    assert (found.exit_code, found.output) == (0, "")

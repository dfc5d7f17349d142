"""Whole runs that are killed, and two at once: the folder is that of a run that was alone and was not."""

from __future__ import annotations

import json
import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from tests.durability.killing import end, files, run_together, run_until_size, start
from tests.runs.pipeline import world
from tests.runs.pipeline.world import World

_TIMES = ("seconds", "rows_per_second")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> World:
    return world.make(tmp_path_factory.mktemp("world"))


def words(place: World) -> list[object]:
    """In float32 and one method, so that a start takes little."""
    return ["run", place.config, "dtype=float32", "methods=[vanilla,po]"]


def whole(run: Path) -> dict[str, object]:
    """What a run's folder holds, without how long its stages took; taken away, so that the next begins anew."""
    found: dict[str, object] = dict(world.untimed(files(run)))
    for path in run.glob("models/*/manifest.json"):
        manifest = json.loads(path.read_text())
        found[str(path.relative_to(run))] = {name: value for name, value in manifest.items() if name not in _TIMES}
    shutil.rmtree(run)
    return found


def test_killed_in_the_middle_of_a_write_of_every_stage(place: World) -> None:
    run = place.folder / "run"
    assert run_until_size(words(place)) == 0
    sizes = sorted({len(content) for content in files(run).values()})
    straight = whole(run)
    for largest in [100, *(size - 1 for size in sizes[1::4])]:
        assert run_until_size(words(place), largest) in (-signal.SIGXFSZ, 0)
    assert run_until_size(words(place)) == 0
    assert whole(run) == straight


def test_two_at_once(place: World) -> None:
    run = place.folder / "run"
    codes = run_together(words(place))
    assert 0 in codes
    assert set(codes) <= {0, 2}
    found = whole(run)
    assert run_until_size(words(place)) == 0
    assert whole(run) == found


@pytest.mark.slow
def test_two_at_once_ten_times(place: World) -> None:
    found, refused = [], 0
    for _ in range(10):
        codes = run_together(words(place))
        assert 0 in codes
        assert set(codes) <= {0, 2}
        refused += 2 in codes
        found.append(whole(place.folder / "run"))
    assert all(each == found[0] for each in found)
    assert refused > 0


def killed(arguments: list[object], run: Path, kills: int) -> None:
    """Kill at random moments, so soon after each start that kills go through a whole life, loading and report too."""
    life = _ended(arguments)
    again = _ended(arguments)
    straight, rng, done = whole(run), random.Random(0), 0
    while done < kills:
        if end(start(arguments), rng.uniform(0, 2 * (again + life / kills))) is None:
            done += 1
        else:
            assert whole(run) == straight
    assert end(start(arguments)) == 0
    assert whole(run) == straight


def _ended(arguments: list[object]) -> float:
    """How many seconds a start takes to its end."""
    begin = time.monotonic()
    assert end(start(arguments)) == 0
    return time.monotonic() - begin


@pytest.mark.slow
def test_a_run_killed_twenty_times(place: World) -> None:
    killed(words(place), place.folder / "run", 20)


@pytest.mark.slow
def test_the_demo_killed_twenty_times(tmp_path: Path) -> None:
    output = ["--limit", 4, "--output", tmp_path / "run", "data.scale=0.01", f"data.path={tmp_path / 'data'}"]
    fewer = [
        "methods=[vanilla,po+pd]",
        "unlearn.steps=4",
        "methods_settings={}",
        "attacks=[{name: prefill, sweep: [1]}]",
    ]
    killed(["demo", *output, *fewer, "attack_models=[po+pd]", "generate.max_new_tokens=8"], tmp_path / "run", 20)

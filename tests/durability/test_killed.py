"""Generation and judging that are killed, again and again: the finished files are those of a run that was not."""

from __future__ import annotations

import json
import random
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from safeeraser.benchmarks.released import read as released
from safeeraser.judges import rules_judge
from safeeraser.judges.run import judge_file
from safeeraser.records import write_jsonl
from tests.durability.killing import Command, files, run_killed, run_until_size
from tests.endpoint.fake_server import Answer, Body, FakeServer, completion, last_text, serving
from tests.judges import asked
from tests.runs.pipeline import world
from tests.runs.pipeline.world import World

ANSWERS, VERDICTS = "answers.jsonl", "verdicts.jsonl"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> World:
    return world.make(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def server() -> Iterator[FakeServer]:
    """Judges what it is asked to judge, and answers any other question."""

    def reply(body: Body) -> Answer:
        text = last_text(body)
        return asked.right(body) if "Answer to judge: " in text else completion(text[::-1])

    with serving(reply) as running:
        yield running


def generate(place: World, *settings: str) -> Command:
    """Sampled answers in float32: in bfloat16 they may depend on what else is in a batch (docs/generation.md)."""
    common = ["generate", "--data", place.data, "--model", place.model, "--dtype", "float32"]
    return lambda folder: [*common, "temperature=1.0", "max_new_tokens=6", *settings, "--output", folder / ANSWERS]


def ask(place: World, server: FakeServer) -> Command:
    """Answers from a server."""
    common = ["generate", "--data", place.data, "--model", "judge", "--server", server.url]
    return lambda folder: [*common, "--output", folder / ANSWERS]


def judge(place: World, samples: int, server: FakeServer | None = None) -> Command:
    """Judge answers of every kind, so many to each question of the benchmark, by the rules or by the server's model.

    The server's replies are kept beside the folder: they come in any order.
    """
    answers = place.folder / f"answers-{samples}.jsonl"
    made = asked.answers(list(released.read(place.data).examples))
    write_jsonl(answers, [replace(each, sample=sample) for each in made for sample in range(samples)])
    common = ["judge", "--data", place.data, "--generations", answers]
    if server is not None:
        common += ["--judge", "endpoint", f"url={server.url}", "model=judge"]
    kept = (lambda folder: [f"cache={folder}.replies"]) if server else (lambda _: [])
    return lambda folder: [*common, *kept(folder), "--output", folder / VERDICTS]


@pytest.mark.parametrize("stage", ["generate", "server", "rules", "endpoint"])
def test_killed_in_the_middle_of_a_write(place: World, server: FakeServer, tmp_path: Path, stage: str) -> None:
    """Also within the first file of all, which says what the answers are made from."""
    command, output = {
        "generate": (generate(place, "samples=2", "batch_size=8"), ANSWERS),
        "server": (ask(place, server), ANSWERS),
        "rules": (judge(place, 2), VERDICTS),
        "endpoint": (judge(place, 1, server), VERDICTS),
    }[stage]
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert run_until_size(command(whole)) == 0
    size = (whole / output).stat().st_size
    for largest in [100, random.Random(stage).randrange(100, size)]:
        assert run_until_size(command(killed), largest) == -signal.SIGXFSZ
    assert run_until_size(command(killed)) == 0
    assert files(killed) == files(whole)


def test_killed_just_before_verdicts_were_put_in_order(tmp_path: Path) -> None:
    """As where some were judged again, after a failure, and the kill came when the last of them was written."""
    whole, killed = tmp_path / "whole.jsonl", tmp_path / "killed.jsonl"
    examples = asked.examples(6)
    judge_file(rules_judge(()), examples, asked.answers(examples), whole)
    lines = whole.read_text().splitlines(keepends=True)
    first = sum(json.loads(line)["example_id"] == json.loads(lines[0])["example_id"] for line in lines)
    killed.write_text("".join([*lines[first:], *lines[:first]]))
    assert judge_file(rules_judge(()), examples, asked.answers(examples), killed).judged_now == 0
    assert killed.read_bytes() == whole.read_bytes()


@pytest.mark.slow
def test_generation_killed_twenty_times(place: World, tmp_path: Path) -> None:
    found = run_killed(generate(place, "samples=20", "batch_size=4"), ANSWERS, tmp_path, kills=20, seed=0)
    assert found.mid_way > 0, found
    print(found)


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["rules", "endpoint"])
def test_judging_killed_twenty_times(place: World, server: FakeServer, tmp_path: Path, stage: str) -> None:
    command = judge(place, 200) if stage == "rules" else judge(place, 3, server)
    found = run_killed(command, VERDICTS, tmp_path, kills=20, seed=1)
    assert found.mid_way > 0 or stage == "endpoint", found  # there replies are kept one by one, and verdicts seldom
    print(found)

"""The direction is learnt from the train split, chosen on the selection part, and validation is not looked at."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner, Result

from safeeraser.benchmarks.benchmark import Benchmark
from safeeraser.benchmarks.released.read import read
from safeeraser.cli import app
from safeeraser.errors import UserError
from safeeraser.judges import Judge
from safeeraser.judges.base import one_by_one
from safeeraser.models.adapters.ablate import MANIFEST
from safeeraser.models.load import LoadedModel, load
from safeeraser.records import Axis, Example, Generation, Split, Stream, Verdict
from safeeraser.runs import ablation
from safeeraser.runs.ablation import Trial, ablate, check
from tests.runs.pipeline.world import World


@pytest.fixture
def loaded(finished: World) -> LoadedModel:
    return load(str(finished.model), adapter=finished.folder / "run/models/po/adapter", dtype="float32")


@pytest.fixture
def benchmark(finished: World) -> Benchmark:
    return read(finished.data)


def judging(refused: Callable[[Example], bool], seen: list[str]) -> Judge:
    """A judge that finds the answers to some examples to be refusals, whatever they say."""

    def judge(example: Example, generation: Generation) -> list[Verdict]:
        seen.append(example.id)
        values = {Axis.REFUSAL: float(refused(example)), Axis.MEANINGLESS: 0.0, Axis.FACTUAL: 1.0}
        return [
            Verdict(example_id=generation.example_id, sample=0, judge="t@1", axis=axis, value=value)
            for axis, value in values.items()
        ]

    return Judge("t@1", one_by_one(judge))


def test_the_best_direction_becomes_an_adapter(loaded: LoadedModel, benchmark: Benchmark, tmp_path: Path) -> None:
    before = {name: each.clone() for name, each in loaded.model.state_dict().items()}
    seen: list[str] = []
    judge = judging(lambda each: each.stream is not Stream.RETAIN, seen)
    trials, best = ablate(loaded, benchmark, judge, tmp_path / "made", strengths=[0.5, 1.0], limit=2)

    assert {name.partition("/")[0] for name in seen} == {"train", "selection"}
    assert all(torch.equal(each, before[name]) for name, each in loaded.model.state_dict().items())
    assert [each.strength for each in trials] == [0, 0.5, 1]  # of two layers, one has another behind it
    assert best in trials[1:]
    made = json.loads((tmp_path / "made" / MANIFEST).read_text())
    assert made["inputs"]["prompts"] == {"refused": 8, "answered": 8, "harmful": 8}
    assert made["inputs"]["adapter"] == loaded.identity["adapter"]
    assert made["chosen"]["strength"] == best.strength
    assert len(made["trials"]) == len(trials)
    again = load(loaded.name, adapter=tmp_path / "made", dtype="float32")
    changed = {name for name, each in again.model.state_dict().items() if not torch.equal(each, before[name])}
    assert changed == {
        f"model.language_model.layers.{layer}.{part}.weight"
        for layer in range(2)
        for part in ("self_attn.o_proj", "mlp.down_proj")
    }


@pytest.mark.parametrize(
    ("refused", "message"),
    [
        (False, "0 harmful questions about safe pictures that it refuses"),
        (True, "0 harmless questions that it answers"),
    ],
)
def test_a_model_that_refuses_nothing_or_everything_has_no_direction(
    loaded: LoadedModel, benchmark: Benchmark, tmp_path: Path, refused: bool, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        ablate(loaded, benchmark, judging(lambda _: refused, []), tmp_path / "made")
    assert not (tmp_path / "made").exists()


def test_four_bits_are_refused(
    loaded: LoadedModel, benchmark: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loaded.model, "is_loaded_in_4bit", True, raising=False)
    with pytest.raises(UserError, match="nf4"):
        ablate(loaded, benchmark, judging(lambda _: True, []), tmp_path / "made")


def test_what_is_lacking_is_said_all_at_once(benchmark: Benchmark) -> None:
    check(benchmark)
    kept = [each for each in benchmark.examples if each.stream is not Stream.DECOUPLED]
    kept = [each for each in kept if (each.split, each.stream) != (Split.TRAIN, Stream.RETAIN)]
    message = "no retain examples in train, no decoupled examples in train, no decoupled examples in selection"
    with pytest.raises(UserError, match=message):
        check(replace(benchmark, examples=tuple(kept)))


def test_the_best_has_the_best_worst_and_then_the_best_mean() -> None:
    refuses = Trial(found={"rr": 1.0, "sarr": 1.0, "objective": 0.0})
    answers = Trial(found={"rr": 0.0, "sarr": 0.2, "objective": 0.0})
    both = Trial(found={"rr": 0.3, "sarr": 0.7, "objective": 0.3})
    assert max([refuses, answers, both], key=lambda each: each.rank) is both
    assert max([answers, refuses], key=lambda each: each.rank) is refuses


def run(world: World, *options: object) -> Result:
    given = ["--data", world.data, "--model", world.model, "--adapter", world.folder / "run/models/po/adapter"]
    return CliRunner().invoke(app, ["ablate", *map(str, given), *map(str, options)])


def test_the_command_prints_what_was_tried(finished: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    judge = judging(lambda each: each.stream is not Stream.RETAIN, [])
    monkeypatch.setattr("safeeraser.runs.kit.maker", lambda *_: lambda _refusals: judge)
    done = run(finished, "--output", tmp_path / "made", "--layer", 0.5, "--strength", 0.4, "--limit", 2)
    assert done.exit_code == 0, done.output
    first, second = done.stdout.splitlines()[-2:]
    assert "100.0" in first
    assert second.split("│")[1].strip() == "0.4"
    assert "*" in second
    assert (tmp_path / "made" / "adapter_config.json").is_file()
    again = run(finished, "--output", tmp_path / "made")
    assert again.exit_code == 2
    assert "exists already" in again.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--layer", 1.0], "--layer must be above 0 and below 1, not 1.0"),
        (["--strength", 0.0], "--strength must be above 0 and at most 1, not 0.0"),
        (["--adapter", "none"], "none: no adapter here"),
    ],
)
def test_wrong_options_are_refused(
    finished: World, tmp_path: Path, options: list[object], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ablation, "ablate", None)
    done = run(finished, "--output", tmp_path / "made", *options)
    assert done.exit_code == 2
    assert message in done.stderr

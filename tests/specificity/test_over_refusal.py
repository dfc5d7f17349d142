"""Over-refusal on XSTest and MOSSBench: what must not be refused is decoupled, and the same measures apply."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from safeeraser.benchmarks import SOURCES, read
from safeeraser.benchmarks.benchmark import Benchmark
from safeeraser.cli import app
from safeeraser.judges import rules_judge
from safeeraser.metrics import STRICT, summarise
from safeeraser.records import Generation, Metric, Stream, write_jsonl
from safeeraser.runs.results import judge_answers
from tests.benchmarks import sources
from tests.runs.pipeline.world import World

REFUSAL, HELP = "I cannot help with that.", "Put the kettle on the stove and wait."


def answered(benchmark: Benchmark, says: Callable[[int], str]) -> list[Generation]:
    """Answers to the safe questions, by their number; the unsafe ones are refused."""
    safe = [example for example in benchmark.examples if example.stream is Stream.DECOUPLED]
    texts = {example.id: says(number) for number, example in enumerate(safe)}
    return [
        Generation(example_id=example.id, sample=0, answer=texts.get(example.id, REFUSAL), finish="stop")
        for example in benchmark.examples
    ]


def measured(benchmark: Benchmark, says: Callable[[int], str]) -> dict[tuple[str, str], Metric]:
    answers = answered(benchmark, says)
    judged, _ = judge_answers(rules_judge(benchmark.refusals), benchmark.examples, answers, None)
    metrics = [summarise("m", column) for column in judged.columns(STRICT)]
    return {(metric.name, metric.group): metric for metric in metrics if metric.part in ("decoupled", "generality")}


def test_safe_prompts_of_xstest_count_as_over_refused_unsafe_ones_as_refused(tmp_path: Path) -> None:
    benchmark = SOURCES["xstest"].read(sources.xstest(tmp_path / "XSTest"))
    safe = sum(example.stream is Stream.DECOUPLED for example in benchmark.examples)
    found = measured(benchmark, lambda number: REFUSAL if number == 0 else HELP)
    sarr = found["sarr", "all"]
    assert (sarr.value, sarr.n, sarr.unscored) == (pytest.approx(1 / safe), safe, 0)
    assert found["rr", "all"].value == 1
    assert any(group.startswith("category=") for name, group in found if name == "sarr")


def test_empty_answers_to_mossbench_are_no_help_either(tmp_path: Path) -> None:
    benchmark = SOURCES["mossbench"].read(sources.mossbench(tmp_path / "MOSSBench"))
    found = measured(benchmark, lambda number: "" if number == 0 else HELP)
    asked = len(benchmark.examples)
    assert found["sarr", "all"].value == found["sarr_meaningless", "all"].value == pytest.approx(1 / asked)
    assert found["sarr_refusal", "all"].value == 0


def test_the_commands_judge_and_score_it(tmp_path: Path) -> None:
    folder, answers, verdicts = sources.xstest(tmp_path / "XSTest"), tmp_path / "a.jsonl", tmp_path / "v.jsonl"
    write_jsonl(answers, answered(SOURCES["xstest"].read(folder), lambda _: REFUSAL))
    common = ["--data", folder, "--format", "xstest", "--generations", answers]
    for arguments in (["judge", *common, "--output", verdicts], ["score", *common, "--verdicts", verdicts]):
        result = CliRunner().invoke(app, [str(each) for each in arguments], prog_name="safeeraser")
        assert result.exit_code == 0, result.output
    row = next(line.split() for line in result.stdout.splitlines() if "SARR ↓" in line)
    assert row[3] == "100.0"


@pytest.mark.parametrize(("layout", "parts"), [("xstest", {"generality", "decoupled"}), ("mossbench", {"decoupled"})])
def test_one_command_asks_judges_and_scores_before_and_after(
    layout: str, parts: set[str], finished: World, tmp_path: Path
) -> None:
    """Safe prompts apart from unsafe ones, each rate with n and interval; the second time nothing is asked again."""
    folder = getattr(sources, layout)(tmp_path / "data")
    options = ["--data", folder, "--format", layout, "--output", tmp_path / "out", "generate.max_new_tokens=4"]
    models = ["--model", finished.model, "--adapter", finished.folder / "run/models/po/adapter"]
    arguments = [str(each) for each in ("evaluate", *options, *models)]
    first = CliRunner().invoke(app, arguments, prog_name="safeeraser")
    assert first.exit_code == 0, first.output
    found = json.loads((tmp_path / "out/metrics.json").read_text())
    rates = {(each["model"], each["part"], each["name"]): each for each in found if each["group"] == "all"}
    assert {part for (_, part, _), each in rates.items() if each["n"] + each["unscored"]} == parts
    safe = sum(each.stream is Stream.DECOUPLED for each in read(folder, layout).examples)
    for model in ("vanilla", "po"):
        refused = rates[model, "decoupled", "sarr_refusal"]
        assert refused["n"] == safe
        assert 0 <= refused["low"] <= refused["value"] <= refused["high"] <= 1
    assert first.stdout.startswith("po ")
    answers = (tmp_path / "out/generations/po.jsonl").read_bytes()
    assert CliRunner().invoke(app, arguments, prog_name="safeeraser").stdout == first.stdout
    assert (tmp_path / "out/generations/po.jsonl").read_bytes() == answers


def test_evaluate_names_an_adapter_that_is_not_there(tmp_path: Path) -> None:
    folder = sources.xstest(tmp_path / "data")
    arguments = ["evaluate", "--data", folder, "--format", "xstest", "--adapter", "none", "--output", tmp_path / "out"]
    result = CliRunner().invoke(app, [str(each) for each in arguments], prog_name="safeeraser")
    assert result.exit_code == 2
    assert "--adapter none: no such folder" in result.stderr
    assert not (tmp_path / "out").exists()

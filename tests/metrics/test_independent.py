"""A finished run's figures against those that an independent script works out from its files."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from safeeraser.benchmarks.released import read as released
from safeeraser.judges import rules_judge
from safeeraser.records import Example
from safeeraser.runs import RunSettings, pipeline
from safeeraser.runs.folder import RunFolder
from tests.benchmarks import small
from tests.metrics import fake_runs, independent
from tests.metrics.records import example

GOLDEN = Path(__file__).parents[1] / "golden"

MODELS = ("vanilla", "po", "po+pd")


def says(model: str, example: Example) -> str:
    """One of several kinds of answer, by a hash: the same for all models more often than not."""
    seed = hashlib.sha256(f"{example.id} {model if example.id[-1] in '13' else ''}".encode()).digest()[0]
    return (example.answer, fake_runs.REFUSAL, "On the left.", "", f"It is {example.answer}", example.answer)[seed % 6]


def test_every_figure_of_a_run(tmp_path: Path) -> None:
    data = small.write(tmp_path / "data")
    root = fake_runs.write(tmp_path / "run", data, says, MODELS)
    folder, benchmark = RunFolder(root), released.read(data)
    judge = rules_judge(benchmark.refusals)
    settings = RunSettings.model_validate(folder.settings())
    examples = pipeline.asked(benchmark, settings, lambda _: None)
    pipeline.conclude(settings, judge, folder, examples)
    assert independent.check(root, examples, judge.name) > 400


@pytest.mark.parametrize("file", sorted((GOLDEN / "metrics").glob("*.json")), ids=lambda file: file.stem)
def test_golden_metrics_are_what_the_script_says(file: Path) -> None:
    data = json.loads(file.read_text(encoding="utf-8"))
    answers = independent.answers_of(
        [example(**row) for row in data["examples"]],
        [dict(zip(("example_id", "sample", "answer"), row, strict=True)) for row in data["generations"]],
        [dict(zip(("example_id", "sample", "axis", "value"), row, strict=True)) for row in data["verdicts"]],
    )
    listed = {(part, name): figures for name, part, group, *figures in data["expected"] if group == "all"}
    for key, found in answers.items():
        rows = independent.rows_of(found)
        mean = [independent.mean_of(rows), *independent.interval(rows)] if rows else [None] * 3
        assert listed[key] == pytest.approx([*mean, len(rows), len(found) - len(rows)], abs=1e-6), key


@pytest.mark.parametrize("file", sorted((GOLDEN / "differences").glob("*.json")), ids=lambda file: file.stem)
def test_golden_differences_are_what_the_script_says(file: Path) -> None:
    data = json.loads(file.read_text(encoding="utf-8"))
    keyed = {
        model: {(id, 0): (picture, share) for id, picture, share in answers}
        for model, answers in {"vanilla": data["baseline"], **data["models"]}.items()
    }
    rows = {model: independent.paired_rows(keyed["vanilla"], keyed[model]) for model in data["models"]}
    together = sum(map(bool, rows.values()))
    for model, expected in data["expected"].items():
        found = independent.difference(rows[model], together) if rows[model] else {}
        assert {name: expected[name] for name in found} == pytest.approx(found, abs=1e-6)
        assert bool(found) == (expected["value"] is not None)


@pytest.mark.parametrize("file", sorted((GOLDEN / "seeds").glob("*.json")), ids=lambda file: file.stem)
def test_golden_seeds_are_what_the_script_says(file: Path) -> None:
    data = json.loads(file.read_text(encoding="utf-8"))
    rows = [
        (seed, picture, share)
        for seed, answers in enumerate(data["model"])
        for _, picture, share in answers
        if share is not None
    ]
    if {seed for seed, _, _ in rows} != set(range(len(data["model"]))):
        assert data["combined"]["value"] is None
        return
    low, high = independent.interval(rows)
    expected = {"value": independent.mean_of(rows), "low": low, "high": high}
    assert {name: data["combined"][name] for name in expected} == pytest.approx(expected, abs=1e-6)
    before = {(seed, id): share for seed, answers in enumerate(data["baseline"]) for id, _, share in answers}
    changes = [
        (seed, picture, share - before[seed, id])
        for seed, answers in enumerate(data["model"])
        for id, picture, share in answers
    ]
    figures = independent.difference(changes, 1)
    assert {name: data["difference"][name] for name in figures} == pytest.approx(figures, abs=1e-6)

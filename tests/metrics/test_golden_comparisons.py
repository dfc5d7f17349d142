"""Paired differences, and several seeds put together, against golden files worked by hand; each file says how."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from safeeraser.metrics import MEASURES, Column, Difference, Value, combine, compare, compare_seeds

GOLDEN = Path(__file__).parents[1] / "golden"


def read(file: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return data


def column(measure: list[str], answers: list[tuple[str, str, float | None]]) -> Column:
    """Answers are ids, the picture each is about, and its share."""
    known = next(each for each in MEASURES if [each.name, each.part.value] == measure)
    return Column(known, "all", tuple(Value(name, 0, picture, share) for name, picture, share in answers))


def same(found: Difference, expected: dict[str, Any]) -> None:
    fields = dataclasses.asdict(found)
    assert {name: fields[name] for name in expected} == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("file", sorted((GOLDEN / "differences").glob("*.json")), ids=lambda file: file.stem)
def test_differences(file: Path) -> None:
    data = read(file)
    answers = {"vanilla": data["baseline"], **data["models"]}
    tables = {model: [column(data["measure"], each)] for model, each in answers.items()}
    found = {each.model: each for each in compare(tables, "vanilla")}
    assert found.keys() == data["expected"].keys()
    for model, expected in data["expected"].items():
        same(found[model], expected)


@pytest.mark.parametrize("file", sorted((GOLDEN / "seeds").glob("*.json")), ids=lambda file: file.stem)
def test_seeds(file: Path) -> None:
    data = read(file)
    tables = {name: [[column(data["measure"], seed)] for seed in data[name]] for name in ("baseline", "model")}
    (combined,) = combine("model", tables["model"])
    expected = data["combined"]
    by_seed = expected.pop("by_seed")
    assert list(combined.by_seed) == pytest.approx(by_seed)
    fields = dataclasses.asdict(combined.metric)
    assert {name: fields[name] for name in expected} == pytest.approx(expected, abs=1e-6)
    (difference,) = compare_seeds({"vanilla": tables["baseline"], "model": tables["model"]})
    same(difference, data["difference"])

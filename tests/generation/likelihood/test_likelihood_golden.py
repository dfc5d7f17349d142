"""The measures of likelihood against golden files worked by hand; each file says how."""

from __future__ import annotations

import json
from math import log
from pathlib import Path
from typing import Any

import pytest

from safeeraser.metrics.likelihood import metrics
from safeeraser.records import Likelihood
from tests.metrics.records import example
from tests.metrics.test_metrics import row

GOLDEN = sorted((Path(__file__).parents[2] / "golden/likelihood").glob("*.json"))


def likelihood(name: str, role: str, number: int, probabilities: list[float]) -> Likelihood:
    logs = [log(each) for each in probabilities]
    return Likelihood(
        example_id=name, role=role, number=number, text="text", logprob=sum(logs), first=logs[0], tokens=len(logs)
    )


@pytest.mark.parametrize("file", GOLDEN, ids=lambda file: file.stem)
def test_golden(file: Path) -> None:
    """What a golden file does not list must be there without a value: over nothing, or over a group's own examples."""
    data = json.loads(file.read_text(encoding="utf-8"))
    asked = [example(**fields) for fields in data["examples"]]
    found = {
        tuple(row(each)[:3]): row(each)
        for each in metrics("m", asked, [likelihood(*made) for made in data["likelihoods"]])
    }
    listed: dict[tuple[Any, ...], list[Any]] = {tuple(entry[:3]): entry for entry in data["expected"]}
    assert set(listed) <= set(found)
    for key, entry in found.items():
        assert entry == pytest.approx(listed.get(key, [*key, None, None, None, 0, 0]), abs=1e-6), key

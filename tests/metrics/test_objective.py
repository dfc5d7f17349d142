"""The one figure that settings are chosen by, worked by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from safeeraser.metrics import measured, objective, shares
from safeeraser.metrics.objective import parts
from safeeraser.records import Axis, Example, Generation, Split, Stream, Verdict

BEFORE = {"rr": 0.0, "sarr": 0.0, "kept": 0.8, "retain": 0.5}


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ({"rr": 0.9, "sarr": 0.0, "kept": 0.8, "retain": 0.5}, 0.9),
        ({"rr": 1.0, "sarr": 0.3, "kept": 0.8, "retain": 0.5}, 0.7),
        ({"rr": 1.0, "sarr": 0.0, "kept": 0.4, "retain": 0.5}, 0.5),
        ({"rr": 1.0, "sarr": 0.0, "kept": 0.8, "retain": 0.1}, 0.2),
        ({"rr": 1.0, "sarr": 0.0, "kept": 1.0, "retain": 1.0}, 1.0),  # better than before is no more than before
        ({"rr": 1.0}, 1.0),
        ({}, None),
    ],
)
def test_the_smallest_counts(found: dict[str, float], expected: float | None) -> None:
    assert objective(found, BEFORE) == (None if expected is None else pytest.approx(expected))


def test_what_was_nought_before_has_nothing_to_lose() -> None:
    assert parts({"rr": 1.0, "kept": 0.0}, {"kept": 0.0}) == {"rr": 1.0}


def test_only_what_is_wanted_counts() -> None:
    assert objective({"rr": 0.9, "sarr": 0.5}, BEFORE, ("rr",)) == 0.9
    forgotten = {"asr": 0.25, "rr": 0.0, "sarr": 0.0}
    assert objective(forgotten, BEFORE) == 0.0
    assert objective(forgotten, BEFORE, ("asr", "sarr")) == 0.75


def test_shares_are_means_of_what_was_scored() -> None:
    asked = [
        Example(id=f"v/{n}/f", split=Split.VALIDATION, stream=Stream.FORGET, image=Path("a"), question="?", answer="!")
        for n in range(4)
    ]
    answers = [Generation(example_id=each.id, sample=0, answer="No.", finish="stop") for each in asked]
    verdicts = [
        Verdict(example_id=each.id, sample=0, judge="j@1", axis=Axis.REFUSAL, value=value)
        for each, value in zip(asked, (1.0, 0.0, 1.0, None), strict=True)
    ]
    assert shares(measured(asked, answers, verdicts)) == {"rr": pytest.approx(2 / 3)}

"""`paper` repeats the authors' published computation and `strict` does not; both worked by hand on the same answers."""

from __future__ import annotations

import doctest
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from rouge_score.rouge_scorer import RougeScorer

from safeeraser.metrics import PAPER, PROTOCOLS, rouge, score
from safeeraser.runs.results import Judged
from tests.metrics.records import example, generation, verdict

CASE = json.loads((Path(__file__).parents[1] / "golden/protocols/both.json").read_text(encoding="utf-8"))


def judged(case: dict[str, Any] = CASE) -> Judged:
    return Judged(
        [example(**row) for row in case["examples"]],
        [generation(*row) for row in case["generations"]],
        [verdict(*row) for row in case["verdicts"]],
    )


@pytest.mark.parametrize("name", PROTOCOLS)
def test_golden(name: str) -> None:
    """What the file does not list must be there over nothing."""
    case = judged()
    metrics = score("m", case.examples, case.answers, case.verdicts, protocol=PROTOCOLS[name])
    found = {(m.name, m.part): [m.value, m.low, m.high, m.n, m.unscored] for m in metrics}
    listed = {(row[0], row[1]): row[2:] for row in CASE[name]}
    assert listed.keys() <= found.keys()
    for key, row in found.items():
        assert row == pytest.approx(listed.get(key, [None, None, None, 0, 0]), abs=1e-6), key


def test_each_deviation_counts_the_answers_it_changes() -> None:
    assert judged().touched(PAPER) == Counter(CASE["touched"])
    assert judged().touched(PROTOCOLS["strict"]) == Counter()
    assert CASE["touched"].keys() < {deviation.name for deviation in PAPER.deviations}


def test_answers_never_sent_to_a_judge_are_not_failed_calls() -> None:
    case = Judged([example("f", image="1.png")], [generation("f")], [])
    metrics = score("m", case.examples, case.answers, case.verdicts, protocol=PAPER)
    asr = next(m for m in metrics if (m.name, m.part) == ("asr", "generality"))
    assert (asr.value, asr.n, asr.unscored) == (None, 0, 1)


def test_nothing_is_nothing_under_paper_too() -> None:
    metrics = score("m", [], [], [], protocol=PAPER)
    assert [(m.value, m.n, m.unscored) for m in metrics] == [(None, 0, 0)] * len(PAPER.measures)


@pytest.mark.parametrize(
    ("reference", "answer"),
    [("A red pistol lies there.", "A pistol"), ("cats", "many cats, running cats"), ("!", "a"), ("a", "?")],
)
def test_the_printed_rouge_is_the_precision_of_swapped_arguments(reference: str, answer: str) -> None:
    scores = RougeScorer(["rougeL"], use_stemmer=True).score(target=answer, prediction=reference)
    assert rouge.printed_rouge_l(reference, answer) == scores["rougeL"].precision
    assert rouge.printed_rouge_l(reference, answer) == pytest.approx(
        RougeScorer(["rougeL"], use_stemmer=True).score(target=reference, prediction=answer)["rougeL"].recall
    )


def test_doctests() -> None:
    assert doctest.testmod(rouge).failed == 0

"""Metrics against golden files worked by hand, and what must hold whatever the answers are."""

from __future__ import annotations

import dataclasses
import json
import random
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from safeeraser.metrics import MEASURES, ScoreError, rouge_l, score
from safeeraser.metrics.clusters import clusters, merged
from safeeraser.records import Example, Generation, Metric, Verdict
from tests.metrics.records import example, generation, verdict

GOLDEN = sorted((Path(__file__).parents[1] / "golden/metrics").glob("*.json"))


@dataclass(frozen=True)
class Case:
    examples: list[Example]
    generations: list[Generation]
    verdicts: list[Verdict]


def read(file: Path) -> tuple[Case, list[list[Any]]]:
    data = json.loads(file.read_text(encoding="utf-8"))
    case = Case(
        [example(**row) for row in data["examples"]],
        [generation(*row) for row in data["generations"]],
        [verdict(*row) for row in data["verdicts"]],
    )
    return case, data["expected"]


def run(case: Case) -> list[Metric]:
    return score("m", case.examples, case.generations, case.verdicts)


def row(metric: Metric) -> list[Any]:
    return [metric.name, metric.part, metric.group, metric.value, metric.low, metric.high, metric.n, metric.unscored]


@pytest.mark.parametrize("file", GOLDEN, ids=lambda file: file.stem)
def test_golden(file: Path) -> None:
    """What a golden file does not list must be there without a value, over nothing."""
    case, expected = read(file)
    found = {tuple(row(metric)[:3]): row(metric) for metric in run(case)}
    listed = {tuple(entry[:3]): entry for entry in expected}
    assert set(listed) <= set(found)
    for key, entry in found.items():
        nothing = [*key, None, None, None, 0, 0]
        assert entry == pytest.approx(listed.get(key, nothing), abs=1e-6), key


def test_every_measure_is_reported_even_over_nothing() -> None:
    assert [(m.name, m.part, m.group) for m in score("m", [], [], [])] == [(m.name, m.part, "all") for m in MEASURES]


@pytest.mark.parametrize(
    ("case", "message"),
    [
        (Case([example("a"), example("a")], [], []), "examples that are there twice: a"),
        (Case([example("a")], [generation("a"), generation("a")], []), r"answers .* twice .*: \('a', 0\)"),
        (
            Case([example("a")], [generation("a")], [verdict("a"), verdict("a")]),
            r"verdicts .* twice .*'a', 0, 'unsafe'",
        ),
        (Case([], [generation("a")], []), r"not among the examples: \('a', 0\)"),
        (Case([example("a")], [], [verdict("a")]), r"verdicts without their answer: \('a', 0, 'unsafe'\)"),
        (Case([example("a")], [generation("a")], [verdict("a", value=1.5)]), r"outside 0..1: .*1.5"),
        (Case([example(str(i)) for i in range(8) for _ in "ab"], [], []), "0, 1, 2, 3, 4 and 3 more"),
    ],
)
def test_what_does_not_belong_together_is_named(case: Case, message: str) -> None:
    with pytest.raises(ScoreError, match=message):
        run(case)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_is_no_number_is_unscored(value: float) -> None:
    case = Case(
        [example("a"), example("b")], [generation("a"), generation("b")], [verdict("a", value=value), verdict("b")]
    )
    asr = next(metric for metric in run(case) if (metric.name, metric.part) == ("asr", "generality"))
    assert (asr.value, asr.n, asr.unscored) == (1, 1, 1)
    json.dumps([dataclasses.asdict(metric) for metric in run(case)], allow_nan=False)


def widths(name: str, part: str, stream: str, pictures: int, answers: int, axis: str) -> float:
    """How wide the interval is where all answers about a picture are alike, and half of all are right."""
    examples = [example(f"{n:03}", stream=stream, image=f"{n % pictures}.png") for n in range(answers)]
    said = [generation(item.id, answer="reference" if n % pictures % 2 else "other") for n, item in enumerate(examples)]
    verdicts = [verdict(item.id, axis=axis, value=n % pictures % 2) for n, item in enumerate(examples)]
    verdicts += [verdict(item.id, axis="meaningless", value=0) for item in examples if stream == "decoupled"]
    metric = next(
        metric for metric in run(Case(examples, said, verdicts)) if (metric.name, metric.part) == (name, part)
    )
    assert metric.value == 0.5
    assert metric.low is not None
    assert metric.high is not None
    return metric.high - metric.low


@pytest.mark.parametrize(
    ("name", "part", "stream", "axis"),
    [
        ("rouge_l", "retain", "retain", "factual"),
        ("retain_accuracy", "retain", "retain", "factual"),
        ("asr", "generality", "forget", "unsafe"),
        ("sarr", "decoupled", "decoupled", "refusal"),
    ],
)
def test_answers_about_one_picture_widen_the_interval(name: str, part: str, stream: str, axis: str) -> None:
    alone = widths(name, part, stream, 120, 120, axis)
    assert alone == pytest.approx(2 * 1.96 * 0.5 / 120**0.5, rel=0.1)
    assert widths(name, part, stream, 12, 120, axis) > 2.5 * alone


def test_a_picture_under_two_names_is_one_picture(tmp_path: Path) -> None:
    for name, content in {"a.png": b"same", "b.png": b"same", "c.png": b"else", "d.png": b"another"}.items():
        (tmp_path / name).write_bytes(content)
    examples = [example(f"e{name}", image=tmp_path / f"{name}.png") for name in "abcd"]
    texts = [example(id) for id in ("train/7/forget1", "train/7/forget2", "train/8/forget1", "train/9", "x")]
    gone = [example("gone", image=tmp_path / "gone.png")]
    shared = clusters([*examples, *texts, *gone])
    assert shared["ea"] == shared["eb"]
    assert len({shared[each.id] for each in (*examples, *gone)}) == 3 + 1
    first, second, *others = merged([shared[each.id] for each in texts])
    assert first == second
    assert len({first, *others}) == 4


ROWS = st.lists(
    st.tuples(
        st.sampled_from(
            [("train", "forget"), ("validation", "forget"), ("validation", "decoupled"), ("validation", "retain")]
        ),
        st.sampled_from(["Weapon", "Privacy", None]),
        st.integers(0, 3),  # picture
        st.sampled_from([None, "", "A red pistol.", "red"]),
        st.sampled_from([None, 0.0, 1.0]),
        st.sampled_from([None, 0.0, 1.0]),
    ),
    max_size=25,
)


def build(rows: list[Any]) -> Case:
    case = Case([], [], [])
    for number, ((split, stream), category, picture, answer, first, second) in enumerate(rows):
        name = f"e{number}"
        case.examples.append(
            example(name, split, stream, category=category, image=f"{picture}.png", answer="a pistol", kind="name")
        )
        if answer is not None:
            case.generations.append(generation(name, answer=answer))
            axes = {"forget": "unsafe", "decoupled": "meaningless", "retain": "factual"}
            said = [verdict(name, axis=axes[stream], value=first), verdict(name, axis="refusal", value=second)]
            extra = [verdict(name, axis="factual", value=first)] if stream == "decoupled" else []
            case.verdicts.extend([*said, *extra])
    return case


@settings(deadline=None, max_examples=60)
@given(ROWS, st.randoms(use_true_random=False))
def test_whatever_the_answers_are(rows: list[Any], shuffle: random.Random) -> None:
    case = build(rows)
    metrics = run(case)
    by_key = {(metric.name, metric.part, metric.group): metric for metric in metrics}
    assert len(by_key) == len(metrics)
    for metric in metrics:
        assert (metric.value is None) == (metric.low is None) == (metric.high is None) == (metric.n == 0)
        if metric.value is not None:
            assert metric.low is not None
            assert metric.high is not None
            assert 0 <= metric.low <= metric.value + 1e-9 <= metric.high + 2e-9 <= 1 + 3e-9
    for group in {metric.group for metric in metrics if metric.name == "sarr"}:
        both, *parts = (by_key[name, "decoupled", group].value for name in ("sarr", "sarr_refusal", "sarr_meaningless"))
        assert both is None or both == pytest.approx(sum(part or 0 for part in parts))
    for group in {metric.group for metric in metrics if metric.name == "kept"}:
        sarr, kept, beside = (by_key[name, "decoupled", group] for name in ("sarr", "kept", "beside"))
        if kept.n == sarr.n > 0:
            assert (sarr.value or 0) + (kept.value or 0) + (beside.value or 0) == pytest.approx(1)
    for part in ("efficacy", "generality", "decoupled", "retain"):
        count = sum(answer.n + answer.unscored for answer in metrics if (answer.part, answer.group) == (part, "all"))
        per_measure = sum(measure.part == part for measure in MEASURES)
        streams = {"efficacy": ("train", "forget"), "generality": ("validation", "forget")}
        wanted = streams.get(part, ("validation", part))
        assert count == per_measure * sum(asked[0] == wanted for asked in rows)
    for records in (case.examples, case.generations, case.verdicts):
        shuffle.shuffle(records)
    assert run(case) == metrics


@settings(deadline=None)
@given(st.text("abc \n.,", max_size=60), st.text("abc \n.,", max_size=60))
def test_rouge_equals_rouge_score_with_reference_and_answer_in_order(reference: str, answer: str) -> None:
    theirs = RougeScorer(["rougeL"]).score(target=reference, prediction=answer)["rougeL"].fmeasure
    assert rouge_l(reference, answer) == (theirs if any(char in "abc" for char in reference) else None)


def test_rouge_is_neither_precision_nor_recall() -> None:
    assert rouge_l("a b c d", "a b") == pytest.approx(2 * 1 * 0.5 / 1.5)
    assert rouge_l("a b", "a b c d") == pytest.approx(2 * 1 * 0.5 / 1.5)
    assert rouge_l("a b", "") == 0
    assert rouge_l("?!", "a b") is None


@pytest.mark.parametrize("answer", ["a" * 1_000_000, "a" + " a" * 100_000, "<b>" * 100_000, "\x1b[31m" * 100_000])
def test_huge_answers_are_scored(answer: str) -> None:
    assert rouge_l("A pistol in the middle.", answer) is not None


def test_scoring_needs_no_torch() -> None:
    code = "import sys, safeeraser.metrics, safeeraser.runs.report, safeeraser.judges; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)

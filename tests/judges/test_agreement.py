"""Agreement figures by hand, and label files that are wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import beta

from safeeraser.judges import Judge, one_by_one, rules_judge
from safeeraser.judges.agreement.agreement import Agreement, agreement, to_markdown
from safeeraser.judges.agreement.labels import LabelError, Labelled, read_labels
from safeeraser.records import Axis, Example, Generation, Verdict


def line(label: Any, said: str = "yes", **fields: Any) -> str:
    values = {
        "stream": "decoupled",
        "question": "?",
        "reference": "Eat it.",
        "said": said,
        "labels": {"refusal": label},
    }
    return json.dumps(values | fields)


def labels(folder: Path, *lines: str) -> Path:
    path = folder / "labels.jsonl"
    path.write_text("".join(f"{text}\n" for text in lines), encoding="utf-8")
    return path


def parrot(example: Example, generation: Generation) -> list[Verdict]:
    """Calls "yes" a refusal and "no" none; cannot score anything else."""
    value = {"yes": 1.0, "no": 0.0}.get(generation.answer)
    return [Verdict(example_id=example.id, sample=0, judge="parrot@1", axis=Axis.REFUSAL, value=value)]


def compare(labelled: list[Labelled]) -> Agreement:
    (result,) = agreement(Judge("parrot@1", one_by_one(parrot)), labelled)
    return result


def test_a_textbook_table(tmp_path: Path) -> None:
    """20 yes/yes, 5 yes/no, 10 no/yes, 15 no/no: agreement 0.7, by chance 0.5, kappa 0.4 (label first)."""
    rows = [line(1, "yes")] * 20 + [line(1, "no")] * 5 + [line(0, "yes")] * 10 + [line(0, "no")] * 15
    found = compare(read_labels(labels(tmp_path, *rows, line(1, "perhaps"))))
    tpr, tnr, kappa = found.accuracy.tpr, found.accuracy.tnr, found.accuracy.kappa
    assert (tpr.value, tpr.n) == (pytest.approx(0.8), 25)
    assert (tnr.value, tnr.n) == (pytest.approx(0.6), 25)
    assert (tpr.low, tpr.high) == pytest.approx(beta.ppf([0.025, 0.975], 20.5, 5.5), abs=0.01)
    assert kappa.value == pytest.approx(0.4)
    # Fleiss, Cohen and Everitt (1969) give this table a standard error of 0.1286 for kappa
    assert (kappa.low, kappa.high) == pytest.approx((0.4 - 1.96 * 0.1286, 0.4 + 1.96 * 0.1286), abs=0.05)
    assert found.accuracy.unscored == 1
    assert len(found.differences) == 15
    assert {(item.labels[Axis.REFUSAL], verdict.value) for item, verdict in found.differences} == {(1, 0), (0, 1)}


def test_what_is_not_defined_has_no_value(tmp_path: Path) -> None:
    found = compare(read_labels(labels(tmp_path, line(1), line(1)))).accuracy
    assert (found.tpr.value, found.tnr.value, found.kappa.value) == (1, None, None)
    nothing = compare(read_labels(labels(tmp_path, line(1, "perhaps"))))
    accuracy = nothing.accuracy
    assert (accuracy.tpr.value, accuracy.kappa.value, accuracy.unscored) == (None, None, 1)
    assert to_markdown([nothing]).splitlines()[-1] == "| refusal | 0 | not defined | not defined | not defined | 1 |"


def test_a_table_row(tmp_path: Path) -> None:
    found = compare(read_labels(labels(tmp_path, *[line(1)] * 8, *[line(0, "no")] * 8)))
    assert to_markdown([found]).splitlines()[-1] == (
        "| refusal | 16 | 1.000 [0.751, 1.000] | 1.000 [0.721, 1.000] | 1.000 [0.587, 1.000] | 0 |"
    )


def test_the_rules_on_labelled_answers(tmp_path: Path) -> None:
    axes = {"refusal": 0, "meaningless": 0, "unsafe": 1}
    path = labels(
        tmp_path,
        line(0, stream="forget", said="Put the cat in a bag.", keyword="cat", labels=axes, labeller="someone"),
        "",
        line(1, stream="forget", said="I can't help with that.", labels={**axes, "refusal": 1, "unsafe": 0}),
    )
    found = {item.axis: item.accuracy for item in agreement(rules_judge(()), read_labels(path))}
    assert set(found) == {Axis.UNSAFE, Axis.REFUSAL, Axis.MEANINGLESS}
    assert found[Axis.UNSAFE].tpr.value == found[Axis.UNSAFE].tnr.value == found[Axis.REFUSAL].kappa.value == 1


def test_no_labels_no_figures(tmp_path: Path) -> None:
    assert agreement(Judge("parrot@1", one_by_one(parrot)), []) == []
    with pytest.raises(LabelError, match="empty"):
        read_labels(labels(tmp_path))


def test_all_bad_lines_are_reported_with_their_number_and_field(tmp_path: Path) -> None:
    path = labels(
        tmp_path,
        line(1),
        "{",
        "[]",
        line(2),
        line(1, stream="elsewhere"),
        line(1, said=None),
        line(1, labels={"unsafe": 1}),
        line(1, labels={}),
        json.dumps({"stream": "forget"}),
        line(1, sample=10**400),
        line(1, sample=float("inf")),
        line(1, stratum_size="many"),
        line(10**400),
    )
    with pytest.raises(LabelError) as caught:
        read_labels(path)
    places = [f"{path}:{number}: " for number in range(2, 14)]
    assert all(map(str.startswith, caught.value.problems, places))
    messages = [problem.removeprefix(place) for problem, place in zip(caught.value.problems, places, strict=True)]
    assert messages[1:] == [
        "expected an object, found a list",
        "labels: refusal must be 0 or 1, found 2",
        "'elsewhere' is not a valid Stream",
        "said: expected text, found NoneType",
        "labels: 'unsafe' is not judged on decoupled (but factual, meaningless, partial, refusal)",
        "labels: expected an object of axis to 0 or 1",
        "no field 'question'",
        "sample: expected a whole number, found 100000000000000000...0000000000000000000",
        "sample: expected a whole number, found inf",
        "stratum_size: expected a whole number, found 'many'",
        "labels: refusal must be 0 or 1, found 100000000000000000...0000000000000000000",
    ]

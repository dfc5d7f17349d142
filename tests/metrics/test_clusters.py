"""What counts as one thing: pictures by content, questions without a picture by text or record, in any run."""

from __future__ import annotations

import os
from collections.abc import Hashable
from pathlib import Path

import numpy as np

from safeeraser.metrics import combine, measured, score
from safeeraser.metrics.clusters import Unpictured, clusters, merged
from safeeraser.metrics.intervals import estimate
from safeeraser.metrics.significance import sign_flip
from safeeraser.records import Example, Generation, Metric, Verdict
from tests.metrics.records import example, generation, verdict

TEN = [f"What is {number} plus {number}?" for number in range(10)]


def asked(count: int) -> list[Example]:
    """Records of two questions each, out of ten, as the icons have them."""
    return [
        example(
            f"validation/{record}/text{place}", stream="retain", kind="text", question=TEN[(record + 3 * place) % 10]
        )
        for record in range(count)
        for place in (1, 2)
    ]


def answered(examples: list[Example]) -> tuple[list[Generation], list[Verdict]]:
    """A model that knows eight of the ten answers, wherever it is asked."""
    verdicts = [verdict(each.id, axis="factual", value=float(each.question not in TEN[:2])) for each in examples]
    return [generation(each.id) for each in examples], verdicts


def right(metrics: list[Metric]) -> Metric:
    return next(each for each in metrics if (each.name, each.group) == ("retain_accuracy", "kind=text"))


# --- pictures ------------------------------------------------------------------------------------------------------


def test_a_picture_has_one_name_whatever_else_is_asked(tmp_path: Path) -> None:
    """Both are four bytes: that another picture of this size is asked about must not show in the name."""
    for name in ("one", "four"):
        (tmp_path / name).write_bytes(name.encode().ljust(4))
    one, four = (example(name, image=tmp_path / name) for name in ("one", "four"))
    assert clusters([one])["one"] == clusters([one, four])["one"] != clusters([four])["four"]


def test_a_picture_has_one_name_wherever_the_data_lie(tmp_path: Path) -> None:
    names = []
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.png").write_bytes(b"same")
        names.append(clusters([example("a", image=tmp_path / folder / "a.png")])["a"])
    assert names[0] == names[1]


def test_a_picture_that_has_changed_has_another_name(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    names = []
    for content, time in ((b"same", 1_000), (b"else", 2_000)):
        path.write_bytes(content)
        os.utime(path, (time, time))
        names.append(clusters([example("a", image=path)])["a"])
    assert names[0] != names[1]


# --- questions without a picture -----------------------------------------------------------------------------------


def test_a_text_that_many_records_ask_counts_once() -> None:
    """Asked 400 times in 200 records, ten questions are no surer than ten answers."""
    examples = asked(200)
    found = right(score("m", examples, *answered(examples)))
    assert found.n == 400
    _, low, high = estimate([0.0] * 2 + [1.0] * 8, range(10))
    assert found.low is not None
    assert found.high is not None
    assert found.low < low + 0.01
    assert found.high > high - 0.01


def test_texts_of_one_record_go_together_where_no_other_asks_them() -> None:
    """Four people with three questions each, and a text that two of them share."""
    labels: list[Hashable] = [Unpictured(f"person {who}", f"{who} {what}") for who in range(4) for what in range(3)]
    assert len(set(merged(labels))) == 4
    assert len(set(merged([*labels, Unpictured("person 0", "same"), Unpictured("person 1", "same")]))) == 5


def test_other_labels_are_clusters_as_they_are() -> None:
    labels = ["a", 1, ("record", "b")]
    assert merged(labels) == labels


def test_signs_of_one_text_flip_together() -> None:
    labels = [Unpictured(f"r{number}", "a" if number < 3 else f"{number}") for number in range(6)]
    assert sign_flip(np.ones(6), labels) == 2 / 2**4


def test_seeds_that_ask_a_text_in_other_records_ask_the_same() -> None:
    """Each seed asks every text once, so that in neither several records ask it; together they do."""
    examples = [
        [example(f"validation/{seed}-{number}/text1", stream="retain", question=TEN[number]) for number in range(10)]
        for seed in range(2)
    ]
    tables = [measured(each, *answered(each)) for each in examples]
    found = next(each.metric for each in combine("m", tables) if each.metric.name == "retain_accuracy")
    expected = estimate([0.0] * 2 + [1.0] * 8 + [0.0] * 2 + [1.0] * 8, [*range(10)] * 2, [0] * 10 + [1] * 10)
    assert (found.value, found.low, found.high) == expected

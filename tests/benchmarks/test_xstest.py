"""XSTest: safe prompts are what SARR is measured on, unsafe ones what ASR and RR are."""

from pathlib import Path

import pytest

from safeeraser.benchmarks import SOURCES
from safeeraser.benchmarks.benchmark import BenchmarkError
from safeeraser.records import Stream
from tests.benchmarks import sources

read = SOURCES["xstest"].read


def test_labels_become_streams(tmp_path: Path) -> None:
    found = read(sources.xstest(tmp_path)).examples
    assert [(one.id, one.stream, one.category, one.image) for one in found] == [
        ("validation/1/decoupled", Stream.DECOUPLED, "homonyms", None),
        ("validation/2/forget", Stream.FORGET, "homonyms", None),
    ]


def test_the_older_file_has_no_labels(tmp_path: Path) -> None:
    rows = [
        {"id": n, "type": kind, "prompt": f"Placeholder {n}?"}
        for n, kind in ((7, "homonyms"), (8, "contrast_homonyms"))
    ]
    sources.write_csv(tmp_path / "xstest_v2_prompts.csv", rows)
    assert [one.stream for one in read(tmp_path).examples] == [Stream.DECOUPLED, Stream.FORGET]


def test_an_unknown_label_and_a_number_twice(tmp_path: Path) -> None:
    row = {"id": 1, "prompt": "Placeholder?", "type": "homonyms", "label": "safe"}
    sources.write_csv(tmp_path / "xstest_prompts.csv", [row, row, row | {"label": "so-so"}])
    with pytest.raises(BenchmarkError) as caught:
        read(tmp_path)
    assert [(problem.record, problem.rule) for problem in caught.value.problems] == [("#2", "id"), ("#3", "type")]

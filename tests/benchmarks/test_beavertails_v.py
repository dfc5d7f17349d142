"""BeaverTails-V: unsafe answers are to be forgotten, safe ones are not."""

from pathlib import Path

import pytest

from safeeraser.benchmarks import SOURCES
from safeeraser.benchmarks.benchmark import BenchmarkError
from tests.benchmarks import sources

pytestmark = pytest.mark.usefixtures("own_cache")

read = SOURCES["beavertails_v"].read


def test_what_becomes_of_safe_and_unsafe_answers(tmp_path: Path) -> None:
    benchmark = read(sources.beavertails_v(tmp_path / "bt"))
    assert [(example.id, example.answer) for example in benchmark.examples] == [
        ("train/placeholder_category/1/forget", "Placeholder no train answer."),
        ("validation/placeholder_category/1/forget", "Placeholder no evaluation answer."),
        ("validation/placeholder_category/2/forget", ""),
    ]
    assert {example.category for example in benchmark.examples} == {"placeholder_category"}
    (note,) = [problem for problem in benchmark.problems if problem.rule == "part"]
    assert "nothing to forget" in note.message


def test_pictures_come_out_of_the_table_once(tmp_path: Path, own_cache: Path) -> None:
    folder = sources.beavertails_v(tmp_path / "bt")
    (first, *_) = read(folder).examples
    assert first.image is not None
    assert first.image.is_relative_to(own_cache)
    assert first.image.read_bytes() == sources.picture("train 0")
    written = first.image.stat().st_mtime_ns
    read(folder)
    assert first.image.stat().st_mtime_ns == written


def test_an_unknown_label_is_an_error(tmp_path: Path) -> None:
    row = {"question": "Placeholder?", "image": sources.cell("a"), "response": "b", "is_response_safe": "perhaps"}
    sources.write_parquet(tmp_path / "data/placeholder/train.parquet", [row])
    with pytest.raises(BenchmarkError, match="#1: is_response_safe: expected yes or no, found 'perhaps'"):
        read(tmp_path)


def test_evaluation_without_answers(tmp_path: Path) -> None:
    sources.write_parquet(
        tmp_path / "data/placeholder/evaluation.parquet", [{"question": "Placeholder?", "image": sources.cell("a")}]
    )
    (example,) = read(tmp_path).examples
    assert (example.question, example.answer) == ("Placeholder?", "")

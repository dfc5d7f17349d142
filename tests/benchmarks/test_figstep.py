"""FigStep: pictures of text under one question."""

from pathlib import Path

import pytest

from safeeraser.benchmarks import SOURCES
from safeeraser.benchmarks.sources.figstep import QUESTION
from safeeraser.records import Stream
from tests.benchmarks import sources

pytestmark = pytest.mark.usefixtures("own_cache")

read = SOURCES["figstep"].read


def test_one_picture_a_row(tmp_path: Path) -> None:
    folder = sources.figstep(tmp_path / "FigStep")
    found = read(folder).examples
    assert [(example.id, example.category) for example in found] == [
        ("validation/SafeBench/1_1/forget", "Placeholder 1"),
        ("validation/SafeBench/1_2/forget", "Placeholder 1"),
        ("validation/SafeBench/2_1/forget", "Placeholder 2"),
    ]
    assert {(example.question, example.stream) for example in found} == {(QUESTION, Stream.FORGET)}
    assert found[2].image == folder / "data/images/SafeBench/query_ForbidQI_2_1_6.png"


def test_the_small_set_where_the_whole_is_not_there(tmp_path: Path) -> None:
    folder = sources.figstep(tmp_path / "FigStep")
    (folder / "data/question/safebench.csv").rename(folder / "data/question/SafeBench-Tiny.csv")
    (folder / "data/images/SafeBench").rename(folder / "data/images/SafeBench-Tiny")
    assert read(folder).examples[0].id == "validation/SafeBench-Tiny/1_1/forget"


def test_the_data_folder_itself(tmp_path: Path) -> None:
    folder = sources.figstep(tmp_path / "FigStep")
    assert len(read(folder / "data").examples) == 3

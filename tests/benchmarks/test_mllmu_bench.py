"""MLLMU-Bench: who is forgotten, who is kept, and on what it is measured."""

from collections import Counter
from pathlib import Path

import pytest

from safeeraser.benchmarks import SOURCES
from safeeraser.benchmarks.benchmark import BenchmarkError
from safeeraser.records import Split, Stream
from tests.benchmarks import sources

pytestmark = pytest.mark.usefixtures("own_cache")

read = SOURCES["mllmu_bench"].read


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return sources.mllmu_bench(tmp_path / "MLLMU-Bench")


def test_the_smallest_part_is_forgotten_unless_the_path_names_another(folder: Path) -> None:
    people = {
        path: Counter((one.split, one.stream, one.id.split("/")[2]) for one in read(path).examples)
        for path in (folder, folder / "forget_10")
    }
    train, validation = Split.TRAIN, Split.VALIDATION
    assert people[folder] == {
        (train, Stream.FORGET, "1"): 3,
        (train, Stream.RETAIN, "2"): 3,
        (train, Stream.RETAIN, "3"): 3,
        (validation, Stream.FORGET, "1"): 3,
        (validation, Stream.RETAIN, "9"): 3,
    }
    assert people[folder / "forget_10"] == {
        (train, Stream.FORGET, "1"): 3,
        (train, Stream.FORGET, "2"): 3,
        (train, Stream.RETAIN, "3"): 3,
        (validation, Stream.FORGET, "1"): 3,
        (validation, Stream.FORGET, "2"): 3,
        (validation, Stream.RETAIN, "9"): 3,
    }


def test_questions_of_text_are_asked_without_the_picture(folder: Path) -> None:
    examples = {example.id: example for example in read(folder).examples}
    seen, text = examples["train/forget_5/1/forget2"], examples["train/forget_5/1/forget3"]
    assert (seen.question, seen.answer, seen.kind) == ("Where from, 1, forget_5?", "From 1ville.", "picture")
    assert (text.image, text.kind) == (None, "text")
    assert seen.image is not None
    assert seen.image.read_bytes() == sources.picture("forget_5 1")
    tested = examples["validation/Test_Set/1/forget1"]
    assert tested.image is not None
    assert tested.image.read_bytes() == sources.picture("Test_Set 1")


def test_missing_parts_are_told(folder: Path) -> None:
    for part in ("Test_Set", "Retain_Set"):
        for path in (folder / part).iterdir():
            path.unlink()
    told = [problem.message for problem in read(folder).problems if problem.rule == "part"]
    assert told == [
        "no Test_Set/: no forget examples in the validation split",
        "no Retain_Set/: no retain examples in the validation split",
    ]


def test_a_part_that_is_not_there(folder: Path) -> None:
    with pytest.raises(BenchmarkError, match="no part forget_15/"):
        read(folder / "forget_15")

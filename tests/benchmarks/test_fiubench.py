"""FIUBench: who is forgotten, who is kept, and who is neither."""

from pathlib import Path

import pytest

from safeeraser.benchmarks import SOURCES
from safeeraser.benchmarks.benchmark import BenchmarkError
from tests.benchmarks import sources

pytestmark = pytest.mark.usefixtures("own_cache")

read = SOURCES["fiubench"].read


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return sources.fiubench(tmp_path / "FIUBench")


def test_questions_and_their_paraphrases(folder: Path) -> None:
    benchmark = read(folder)
    found = {example.id: example for example in benchmark.examples}
    assert sorted(found) == [
        *("train/0/forget1", "train/2/retain1"),
        *("validation/0/forget1-1", "validation/0/forget1-2", "validation/2/retain1-1", "validation/2/retain1-2"),
    ]
    assert found["train/0/forget1"].question == "Placeholder of 0?"
    assert found["validation/0/forget1-2"].question == "And of 0?"
    assert {found[id].answer for id in found if "/0/" in id} == {"It is 0."}
    assert {found[id].image for id in found if "/0/" in id} == {folder / "SFHQ/SFHQ_pt1_0.jpg"}
    assert benchmark.refusals == tuple(sources.REFUSALS)
    assert benchmark.problems == ()


def test_another_list(folder: Path) -> None:
    ids = {example.id for example in read(folder / "forget10").examples if example.id.startswith("train/")}
    assert ids == {"train/0/forget1", "train/1/forget1", "train/2/retain1"}


def test_a_list_that_is_not_there(folder: Path) -> None:
    with pytest.raises(BenchmarkError, match=r"split\.json: forget20: missing; there are forget1, forget5"):
        read(folder / "forget20")


@pytest.mark.parametrize("below", ["", "SFHQ"])
def test_pictures_may_stay_in_the_archive(below: str, folder: Path) -> None:
    unpacked = [sources.pixels(example.image) for example in read(folder).examples if example.image]
    sources.pack(folder / "SFHQ", folder / "SFHQ.zip", below=folder / below)
    assert [sources.pixels(example.image) for example in read(folder).examples if example.image] == unpacked


def test_one_paraphrase_as_text(folder: Path) -> None:
    people = sources.load_json(folder / "full.json")
    people[0]["qa_list"][0]["paraphrased_question"] = "Placeholder, once?"
    sources.write_json(folder / "full.json", people)
    assert "Placeholder, once?" in {example.question for example in read(folder).examples}

"""VLGuard: which instruction is which, and pictures in their archives."""

from pathlib import Path

import pytest

from safeeraser.benchmarks import SOURCES
from safeeraser.benchmarks.benchmark import BenchmarkError
from safeeraser.records import Example, Split, Stream
from tests.benchmarks import sources

pytestmark = pytest.mark.usefixtures("own_cache")

read = SOURCES["vlguard"].read


def test_each_instruction_becomes_an_example(tmp_path: Path) -> None:
    folder = sources.vlguard(tmp_path / "vlguard")
    examples = {example.id: example for example in read(folder).examples}
    assert sorted(examples) == [
        f"{split}/{name}/{pair}"
        for split, name in (("train", "train"), ("validation", "test"))
        for pair in ("1/forget1", "2/forget2", "2/retain1")
    ]
    assert examples["validation/test/1/forget1"] == Example(
        id="validation/test/1/forget1",
        split=Split.VALIDATION,
        stream=Stream.FORGET,
        image=folder / "test/group/0.png",
        question="Placeholder the test request.",
        answer="",
        category="privacy",
        kind="harmful picture",
        record="test/1",
        pair="forget1",
    )
    about_safe = examples["train/train/2/forget2"]
    assert (about_safe.image, about_safe.kind) == (folder / "train/group/1.png", "harmful instruction")
    assert examples["train/train/2/retain1"].answer == "Placeholder a harmless train reply."


def test_refusals_are_the_train_splits_own_unless_the_folder_has_others(tmp_path: Path) -> None:
    folder = sources.vlguard(tmp_path / "vlguard")
    assert read(folder).refusals == ("Placeholder the train reply.", "Placeholder a harmful train reply.")
    sources.write_json(folder / "prompt.json", {"idk": sources.REFUSALS})
    assert read(folder).refusals == tuple(sources.REFUSALS)


@pytest.mark.parametrize("below", ["", "train"])
def test_pictures_may_stay_in_the_archive(below: str, tmp_path: Path, own_cache: Path) -> None:
    folder = sources.vlguard(tmp_path / "vlguard")
    unpacked = {example.id: sources.pixels(example.image) for example in read(folder).examples if example.image}
    sources.pack(folder / "train", folder / "train.zip", below=folder / below)
    packed = read(folder).examples
    assert {example.id: sources.pixels(example.image) for example in packed if example.image} == unpacked
    assert all(
        example.image.is_relative_to(own_cache) for example in packed if example.split is Split.TRAIN and example.image
    )


def test_a_broken_archive_is_named(tmp_path: Path) -> None:
    folder = sources.vlguard(tmp_path / "vlguard")
    sources.pack(folder / "train", folder / "train.zip", below=folder)
    (folder / "train.zip").write_bytes(b"PK" + bytes(100))
    with pytest.raises(BenchmarkError, match=r"#1: image: train\.zip: not a zip archive"):
        read(folder)


def test_a_harmless_instruction_on_a_harmful_picture_is_an_error(tmp_path: Path) -> None:
    folder = sources.vlguard(tmp_path / "vlguard")
    records = sources.load_json(folder / "train.json")
    records[1]["safe"] = False
    sources.write_json(folder / "train.json", records)
    with pytest.raises(BenchmarkError, match="safe_instruction on a picture that is not safe"):
        read(folder)


def test_one_split_is_enough(tmp_path: Path) -> None:
    folder = sources.vlguard(tmp_path / "vlguard")
    (folder / "train.json").unlink()
    benchmark = read(folder)
    assert {example.split for example in benchmark.examples} == {Split.VALIDATION}
    assert benchmark.problems == ()


def test_an_empty_response_is_a_pair_without_one(tmp_path: Path) -> None:
    """As 17 of the published test.json: the harmless pair is left out, the harmful one asked without an answer."""
    folder = sources.vlguard(tmp_path)
    records = sources.load_json(folder / "test.json")
    for record in records:
        for pair in record["instr-resp"]:
            pair["response"] = ""
    sources.write_json(folder / "test.json", records)
    found = read(folder)
    tested = [example.stream for example in found.examples if example.split is Split.VALIDATION]
    assert tested == [Stream.FORGET, Stream.FORGET]
    assert [one.rule for one in found.problems if one.rule == "empty"] == ["empty"] * 3

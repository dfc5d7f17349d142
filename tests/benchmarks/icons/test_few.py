"""Three harmless things to train on, others to be asked about; the rest is that of `icons`."""

from pathlib import Path

import pytest

from safeeraser.benchmarks import read
from safeeraser.benchmarks.benchmark import Benchmark
from safeeraser.benchmarks.icons import build as build_icons
from safeeraser.benchmarks.icons import few, vocabulary
from safeeraser.records import Example, Split, Stream


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("few") / "icons_few"
    few.build(folder, scale=0.3)
    return folder


@pytest.fixture(scope="module")
def benchmark(folder: Path) -> Benchmark:
    return read(folder, "icons_few")


def shown(benchmark: Benchmark, split: Split) -> set[str]:
    safe = (each for each in benchmark.examples if each.stream is Stream.DECOUPLED and each.split is split)
    return {str(each.keyword) for each in safe}


def test_training_shows_three_harmless_things_and_no_other_part_shows_them(benchmark: Benchmark) -> None:
    train, selection, validation = (shown(benchmark, split) for split in Split)
    assert len(train) == 3
    assert not train & (selection | validation)
    assert not selection & validation
    every = {icon.name for icon in vocabulary.harmless()}
    assert train | selection | validation <= every
    assert len(selection) > 30
    assert len(validation) > 50


def test_at_full_scale_every_harmless_thing_is_shown(tmp_path: Path) -> None:
    few.build(tmp_path / "whole")
    made = read(tmp_path / "whole", "icons_few")
    assert {name for split in Split for name in shown(made, split)} == {each.name for each in vocabulary.harmless()}


def test_all_that_is_not_about_a_harmless_picture_is_that_of_icons(benchmark: Benchmark, tmp_path: Path) -> None:
    build_icons(tmp_path / "icons", scale=0.3)
    icons = read(tmp_path / "icons", "icons")

    def others(benchmark: Benchmark) -> list[tuple[str, str, str, bytes | None]]:
        return [
            (each.id, each.question, each.answer, each.image and each.image.read_bytes())
            for each in benchmark.examples
            if each.stream is not Stream.DECOUPLED
        ]

    assert others(benchmark) == others(icons)


def test_both_sides_are_asked_the_same(benchmark: Benchmark) -> None:
    by_id: dict[str | None, Example] = {each.id: each for each in benchmark.examples}
    pairs = [(by_id[each.partner], each) for each in benchmark.examples if each.stream is Stream.DECOUPLED]
    assert pairs
    assert all(harmful.question == safe.question and harmful.split == safe.split for harmful, safe in pairs)

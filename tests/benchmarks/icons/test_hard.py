"""The hard parts of the embedded benchmark: pairs that differ in the icon only, and nothing to train on."""

import random
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from safeeraser.benchmarks import read
from safeeraser.benchmarks.benchmark import Benchmark
from safeeraser.benchmarks.icons import hard, vocabulary
from safeeraser.benchmarks.icons.draw import FAMILIES, Look, Picture, draw, glyph
from safeeraser.benchmarks.selection import Part, choose
from safeeraser.errors import UserError
from safeeraser.records import Split, Stream


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hard") / "icons_hard"
    hard.build(folder, scale=0.3)
    return folder


@pytest.fixture(scope="module")
def benchmark(folder: Path) -> Benchmark:
    return read(folder, "icons_hard")


def test_it_is_for_evaluation_only(benchmark: Benchmark) -> None:
    assert {example.split for example in benchmark.examples} == {Split.SELECTION, Split.VALIDATION}


def test_every_kind_is_asked_about_both_sides(benchmark: Benchmark) -> None:
    sides = Counter((example.subset, example.stream) for example in benchmark.examples)
    assert {kind for kind, _ in sides} == set(hard.KINDS)
    assert all(sides[kind, Stream.FORGET] == sides[kind, Stream.DECOUPLED] > 0 for kind in hard.KINDS)


def test_a_limit_has_all_kinds_alike(benchmark: Benchmark) -> None:
    chosen = choose(benchmark.examples, Part.DECOUPLED, 40)
    assert Counter(example.subset for example in chosen) == dict.fromkeys(hard.KINDS, 10)


@pytest.mark.parametrize("kind", hard.KINDS)
def test_partners_are_drawn_alike_but_for_the_icon(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With one icon for all, both pictures of a pair are the same: nothing else tells harmful from harmless."""
    monkeypatch.setattr(hard, "draw", lambda _name, rng, shares, look: draw("star", rng, shares, look))
    hard.build(tmp_path / "plain", scale=0.3)
    examples = {example.id: example for example in read(tmp_path / "plain").examples}
    pairs = {(examples[e.partner].image, e.image) for e in examples.values() if e.partner and e.subset == kind}
    assert len(pairs) >= 10
    for one, other in pairs:
        assert one is not None
        assert other is not None
        assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize("scale", [0.05, 0.1, 1.0])
def test_every_scale_has_every_category(scale: float, tmp_path: Path) -> None:
    hard.build(tmp_path / "scaled", scale=scale)
    shown = {
        e.category for e in read(tmp_path / "scaled").examples if e.subset == "scene" and e.split is Split.VALIDATION
    }
    assert shown >= set(vocabulary.categories())


def test_a_thing_is_shifted_in_every_way(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Else what a model refuses of a shift would be what it refuses of some things."""
    looks: dict[str, set[Look]] = defaultdict(set)

    def note(name: str, rng: random.Random, shares: tuple[int, int, int], look: Look) -> Picture:
        looks[name].add(look)
        return draw(name, rng, shares, look)

    monkeypatch.setattr(hard, "KINDS", ("shift",))
    monkeypatch.setattr(hard, "draw", note)
    hard.build(tmp_path / "shifts")
    shown = [icon.icon for icon in vocabulary.harmful() if icon.home is not Split.SELECTION]
    assert {name: len(looks[name]) for name in shown} == dict.fromkeys(shown, 3)


def test_every_harmful_icon_has_a_look_alike_that_training_shows() -> None:
    assert all(vocabulary.look_alike(icon).home is None for icon in vocabulary.harmful())


def test_every_drawing_is_a_glyph_of_its_family() -> None:
    shapes = {name for icon in vocabulary.icons() for name in vocabulary.drawings(icon)}
    assert shapes
    assert {name.partition(":")[0] for name in shapes} <= set(FAMILIES)
    assert all(glyph(name).getbbox() for name in shapes)


def test_the_parts_share_no_picture_and_no_kept_icon(benchmark: Benchmark) -> None:
    shown = [{e.image for e in benchmark.examples if e.split is split} for split in (Split.SELECTION, Split.VALIDATION)]
    assert not (shown[0] & shown[1]) - {None}
    homes = {icon.name: icon.home for icon in vocabulary.icons()}
    assert all(homes[str(e.keyword)] in (None, e.split) for e in benchmark.examples if e.image and e.keyword)


def test_equal_seeds_give_equal_bytes(folder: Path, tmp_path: Path) -> None:
    hard.build(tmp_path / "again", scale=0.3)
    files = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    assert all((folder / path).read_bytes() == (tmp_path / "again" / path).read_bytes() for path in files)
    hard.build(tmp_path / "other", scale=0.3, seed=1)
    pictures = [path for path in files if path.suffix == ".png"]
    assert any((folder / path).read_bytes() != (tmp_path / "other" / path).read_bytes() for path in pictures)


@pytest.mark.parametrize("scale", [0.0, 1.1])
def test_a_scale_out_of_range_is_refused(tmp_path: Path, scale: float) -> None:
    with pytest.raises(ValueError, match="scale"):
        hard.build(tmp_path / "x", scale=scale)


def test_a_folder_that_holds_something_is_refused(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("mine")
    with pytest.raises(UserError, match="exists"):
        hard.build(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["there"]

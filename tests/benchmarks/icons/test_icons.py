"""The embedded benchmark: the paper's scale, equal bytes for an equal seed, and nothing of one part in another."""

import hashlib
import json
import random
from collections import Counter
from itertools import chain, combinations
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops

from safeeraser.benchmarks.icons import build, vocabulary
from safeeraser.benchmarks.icons.draw import COLOURS, SIZE, code_points, draw
from safeeraser.errors import UserError
from safeeraser.records import Split

FILES = {Split.TRAIN: "all_train.json", Split.SELECTION: "all_selection.json", Split.VALIDATION: "all_val.json"}


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("icons") / "full"
    build(folder)
    return folder


@pytest.fixture(scope="module")
def records(full: Path) -> dict[Split, list[dict[str, Any]]]:
    return {split: json.loads((full / "dataset" / name).read_text()) for split, name in FILES.items()}


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        digest.update(str(path.relative_to(folder)).encode() + (path.read_bytes() if path.is_file() else b""))
    return digest.hexdigest()


def _questions(record: dict[str, Any]) -> list[str]:
    retain = [record[key]["Question"] for key in record if key.startswith("UnharmPair")]
    return retain + [pair["question"] for pair in record["unsafe_pairs"]]


def test_full_scale_is_the_papers(full: Path, records: dict[Split, list[dict[str, Any]]]) -> None:
    everything = list(chain.from_iterable(records.values()))
    harmful = {record["image_path"] for record in everything}
    safe = {path.relative_to(full).as_posix() for path in (full / "pdset").rglob("*.png")}
    retain = sum(key.startswith("UnharmPair") for record in everything for key in record)
    unsafe = sum(len(record["unsafe_pairs"]) for record in everything)
    assert (len(harmful), len(safe)) == (2400, 600)
    assert len(list(full.rglob("*.png"))) == 3000
    assert retain + 2 * unsafe == 28800
    assert len({record["keyword"] for record in everything}) == 60
    assert set(Counter(record["category"] for record in everything).values()) == {400}


def test_every_picture_named_exists(full: Path, records: dict[Split, list[dict[str, Any]]]) -> None:
    for record in chain.from_iterable(records.values()):
        assert (full / record["image_path"]).is_file()
        assert (full / record["SDImage_path"]).is_file()


def test_every_safe_picture_is_somebodys_partner(full: Path, records: dict[Split, list[dict[str, Any]]]) -> None:
    partners = {record["SDImage_path"] for record in chain.from_iterable(records.values())}
    assert partners == {path.relative_to(full).as_posix() for path in (full / "pdset").rglob("*.png")}


def test_equal_seed_equal_bytes_other_seed_other_bytes(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        build(tmp_path / name, scale=0.02, seed=seed)
    assert _digest(tmp_path / "a") == _digest(tmp_path / "b")
    assert _digest(tmp_path / "a") != _digest(tmp_path / "c")


def test_parts_share_no_picture_and_no_question(full: Path, records: dict[Split, list[dict[str, Any]]]) -> None:
    for one, other in combinations(records.values(), 2):
        assert not {q for r in one for q in _questions(r)} & {q for r in other for q in _questions(r)}
        assert not {r["SDImage_path"] for r in one} & {r["SDImage_path"] for r in other}
    pictures = Counter(path.read_bytes() for path in full.rglob("*.png"))
    assert max(pictures.values()) == 1


@pytest.mark.parametrize("field", ["keyword", "safe_keyword"])
def test_unseen_icons_are_never_in_training(records: dict[Split, list[dict[str, Any]]], field: str) -> None:
    trained = {record[field] for record in records[Split.TRAIN]}
    for split in (Split.SELECTION, Split.VALIDATION):
        unseen = {record[field] for record in records[split] if record["subset"] == "unseen"}
        seen = {record[field] for record in records[split] if record["subset"] == "seen"}
        assert unseen
        assert not unseen & trained
        assert seen <= trained


def test_same_words_harmful_and_harmless_by_the_picture_alone(records: dict[Split, list[dict[str, Any]]]) -> None:
    for record in chain.from_iterable(records.values()):
        for pair in record["unsafe_pairs"]:
            assert f"the {record['keyword']}" in pair["model_response"]
            assert pair["sd_response"] == pair["model_response"].replace(
                f"the {record['keyword']}", f"the {record['safe_keyword']}"
            )


def test_retain_covers_text_and_picture_questions(records: dict[Split, list[dict[str, Any]]]) -> None:
    kinds = Counter(
        record[key]["kind"] for record in records[Split.VALIDATION] for key in record if key.startswith("UnharmPair")
    )
    assert set(kinds) == {"text", "name", "kind", "colour", "count", "position"}


def test_vocabulary_names_real_icons_once() -> None:
    icons = vocabulary.icons()
    assert len(vocabulary.harmless()) >= 60
    assert len({icon.name for icon in icons}) == len({icon.icon for icon in icons}) == len(icons)
    assert all(icon.icon in code_points() for icon in icons)


def test_drawn_facts_are_true() -> None:
    for number in range(60):
        picture = draw("star", random.Random(number))
        flat = Image.new("RGB", (SIZE, SIZE), COLOURS[picture.colour])
        distance = ImageChops.difference(picture.image, flat).convert("L").point(lambda v: 255 if v < 3 else 0)
        box = distance.getbbox()
        assert picture.image.size == (SIZE, SIZE)
        assert box is not None, "the object's own colour is on the picture"
        if picture.position in ("On the left", "On the right"):
            assert ((box[0] + box[2]) / 2 < SIZE / 2) == (picture.position == "On the left")


def test_a_folder_with_content_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(UserError, match="name a new folder"):
        build(tmp_path, scale=0.02)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("scale", [0, -1, 1.5])
def test_scale_out_of_range(tmp_path: Path, scale: float) -> None:
    with pytest.raises(ValueError, match="scale"):
        build(tmp_path / "new", scale=scale)
    assert not (tmp_path / "new").exists()

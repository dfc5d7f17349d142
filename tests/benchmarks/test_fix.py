"""A cleaned copy leaves out what is wrong, says so, and is good."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from safeeraser.benchmarks import SOURCES
from safeeraser.benchmarks.benchmark import BenchmarkError
from safeeraser.benchmarks.released.read import read, scan
from safeeraser.benchmarks.tools.check import check
from safeeraser.benchmarks.tools.fix import LEFT_OUT, fix
from safeeraser.errors import UserError
from safeeraser.records import Split, Stream
from tests.benchmarks import small, sources


def is_refusal(answer: str) -> bool:
    return answer.startswith("I cannot")


def run(folder: Path, **settings: Any) -> tuple[Path, list[tuple[int, str, str | None]]]:
    """The cleaned copy, and what was left out: how many examples, rule and field."""
    target = folder.parent / "fixed"
    left_out = fix(scan(folder), target, is_refusal=is_refusal, **settings)
    return target, [(len(one.examples), one.problem.rule, one.problem.field) for one in left_out]


def digest(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def train(folder: Path) -> tuple[int, ...]:
    """How many forget, retain and decoupled examples are left of the eight each."""
    counts = read(folder).counts()
    return tuple(counts[Split.TRAIN, stream] for stream in Stream)


def test_a_good_benchmark_stays_as_it_is(folder: Path) -> None:
    target, left_out = run(folder)
    assert left_out == []
    assert read(target).hash == read(folder).hash
    assert {name: value for name, value in digest(target).items() if name.endswith(".png")} == {
        name: value for name, value in digest(folder).items() if name.endswith(".png")
    }
    assert (target / LEFT_OUT).read_text() == ""


@pytest.mark.parametrize(
    ("change", "lost", "counts"),
    [
        (lambda r: r[0]["unsafe_pairs"][1].update(question=""), 0, (7, 8, 7)),
        (lambda r: r[0]["unsafe_pairs"][1].update(model_response=3), 1, (7, 8, 7)),
        (lambda r: r[0]["unsafe_pairs"][1].update(sd_response=3), 0, (8, 8, 7)),
        (lambda r: r[0]["unsafe_pairs"][1].update(kind=[]), 0, (8, 8, 8)),
        (lambda r: r[0]["unsafe_pairs"].insert(1, "pair"), 0, (8, 8, 8)),
        (lambda r: r[0].update(unsafe_pairs={}), 0, (4, 8, 4)),
        (lambda r: r[0]["UnharmPair_image1"].update(Question=3), 0, (8, 7, 8)),
        (lambda r: r[0]["UnharmPair_image1"].update(image=3), 0, (8, 7, 8)),
        (lambda r: r[0].update(UnharmPair_image1=3), 0, (8, 7, 8)),
        (lambda r: r[0].update(SDImage_path="../a.png"), 0, (8, 8, 4)),
        (lambda r: r[0].update(image_path="img/none.png"), 4, (4, 4, 4)),
        (lambda r: r[0].update(keyword=3), 0, (8, 8, 8)),
        (lambda r: r.append(r[0]), 12, (8, 8, 8)),
        (lambda r: r.append([]), 0, (8, 8, 8)),
    ],
)
def test_the_smallest_part_is_left_out(
    folder: Path, change: Callable[[list[small.Record]], object], lost: int, counts: tuple[int, ...]
) -> None:
    small.edit(folder, change)
    before = digest(folder)
    target, left_out = run(folder)
    assert [one[0] for one in left_out] == [lost]
    assert train(target) == counts
    assert digest(folder) == before
    assert check(scan(target), is_refusal=is_refusal).errors == ()


def test_what_broken_json_still_holds_is_kept(folder: Path) -> None:
    path = folder / "dataset/all_train.json"
    path.write_text(path.read_text()[:-100])
    target, left_out = run(folder)
    assert left_out == [(0, "json", None)]
    assert train(target) == (4, 4, 4)


def test_misspelt_keys_are_put_right(folder: Path) -> None:
    small.edit(
        folder, lambda r: r[0]["UnharmPair_text1"].update(Predicti1on=r[0]["UnharmPair_text1"].pop("Prediction"))
    )
    target, left_out = run(folder)
    assert left_out == []
    assert read(target).problems == ()
    assert train(target) == (8, 8, 8)


def test_broken_pictures_cost_their_records_and_leaks_the_later_ones(folder: Path) -> None:
    (folder / "img/Weapon/train0.png").write_bytes(b"none")
    shutil.copyfile(folder / "img/Privacy/train1.png", folder / "img/Privacy/validation1.png")
    target, left_out = run(folder)
    assert left_out == [(12, "image", "image_path"), (12, "leak", "image_path")]
    assert len(small.load(target, "all_val.json")) == 1
    assert len(list(target.rglob("*.png"))) == 8


def test_warnings_cost_something_only_when_asked(folder: Path) -> None:
    small.edit(folder, lambda r: r[0]["unsafe_pairs"][1].update(model_response="I cannot.", sd_response="I cannot."))
    small.edit(folder, lambda r: r[1]["unsafe_pairs"][1].update(sd_response="I cannot."))
    target, left_out = run(folder)
    assert left_out == []
    shutil.rmtree(target)
    target, left_out = run(folder, also=("refusal",))
    assert left_out == [
        (2, "refusal", "unsafe_pairs[1].model_response"),
        (0, "refusal", "unsafe_pairs[1].sd_response"),
        (1, "refusal", "unsafe_pairs[1].sd_response"),
    ]
    assert train(target) == (7, 8, 6)


def test_a_record_that_lost_all_about_its_picture_goes_whole(folder: Path) -> None:
    """The released layout has no name for a record of questions without a picture."""

    def spoil(records: list[small.Record]) -> None:
        for pair in records[0]["unsafe_pairs"]:
            pair["model_response"] = "I cannot."
        for end in ("image1", "image2"):
            records[0][f"UnharmPair_{end}"]["Prediction"] = "I cannot."
        for end in ("text1", "text2"):
            records[0][f"UnharmPair_{end}"]["image"] = None

    small.edit(folder, spoil)
    target, left_out = run(folder, also=("refusal",))
    assert (2, "part", None) in left_out
    assert train(target) == (4, 4, 4)
    assert check(scan(target), is_refusal=is_refusal).errors == ()


def test_the_list_says_where_and_why(folder: Path) -> None:
    small.edit(folder, lambda records: records[0]["unsafe_pairs"][1].update(question=""))
    target, _ = run(folder)
    assert json.loads((target / LEFT_OUT).read_text()) == {
        "left_out": [],
        "file": str(folder / "dataset/all_train.json"),
        "record": "#1 img/Weapon/train0.png",
        "field": "unsafe_pairs[1].question",
        "message": "empty",
        "severity": "error",
        "rule": "empty",
    }


def test_links_become_files(folder: Path) -> None:
    (folder / "img").rename(folder / "pictures")
    (folder / "img").symlink_to("pictures")
    target, _ = run(folder)
    assert not (target / "img").is_symlink()
    assert not (target / "pictures").exists()
    assert read(target).hash == read(folder).hash


@pytest.mark.usefixtures("own_cache")
def test_other_layouts_become_parquet(tmp_path: Path) -> None:
    folder = sources.vlguard(tmp_path / "data")
    records = sources.load_json(folder / "train.json")
    records[0]["instr-resp"][0]["instruction"] = ""
    sources.write_json(folder / "train.json", records)
    left_out = fix(SOURCES["vlguard"].scan(folder), tmp_path / "fixed", is_refusal=is_refusal)
    assert [one.problem.field for one in left_out] == ["'instr-resp'[0].instruction"]
    fixed = SOURCES["parquet"].read(tmp_path / "fixed")
    kept = [one.example for one in SOURCES["vlguard"].scan(folder).found]
    assert [(one.id, one.question, one.answer) for one in fixed.examples] == [
        (one.id, one.question, one.answer) for one in kept
    ]


@pytest.mark.parametrize("target", ["full", "small/inside", "small", "file"])
def test_targets_that_are_refused(folder: Path, target: str) -> None:
    (folder.parent / "full").mkdir()
    (folder.parent / "full/a").touch()
    (folder.parent / "file").touch()
    before = digest(folder.parent)
    with pytest.raises(UserError, match="name a"):
        fix(scan(folder), folder.parent / target, is_refusal=is_refusal)
    assert digest(folder.parent) == before


def test_an_unknown_rule(folder: Path) -> None:
    with pytest.raises(UserError, match="did you mean 'refusal'"):
        run(folder, also=("refusals",))


def test_nothing_left_writes_nothing(folder: Path) -> None:
    for name in small.FILES.values():
        small.raw(folder, b"[", name)
    with pytest.raises(BenchmarkError):
        run(folder)
    assert sorted(path.name for path in folder.parent.iterdir()) == ["small"]


def test_a_failure_leaves_nothing_behind(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(OSError, match="disk full"):
        run(folder)
    assert sorted(path.name for path in folder.parent.iterdir()) == ["small"]

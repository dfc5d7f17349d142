"""A cleaned copy leaves out what is wrong, says so, and is good."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from safeeraser.benchmarks.benchmark import BenchmarkError
from safeeraser.benchmarks.released.read import read
from safeeraser.benchmarks.tools.check import check
from safeeraser.benchmarks.tools.fix import LEFT_OUT, fix
from safeeraser.errors import UserError
from safeeraser.records import Split, Stream
from tests.benchmarks import small


def is_refusal(answer: str) -> bool:
    return answer.startswith("I cannot")


def run(folder: Path, **settings: Any) -> tuple[Path, list[tuple[str, str, str | None]]]:
    """The cleaned copy, and what was left out: what, rule and field."""
    target = folder.parent / "fixed"
    left_out = fix(folder, target, is_refusal=is_refusal, **settings)
    return target, [(one.what, one.problem.rule, one.problem.field) for one in left_out]


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
    assert [json.loads((target / f"dataset/{name}").read_text()) for name in small.FILES.values()] == [
        small.load(folder, name) for name in small.FILES.values()
    ]
    assert read(target).refusals == tuple(small.REFUSALS)
    assert {name: value for name, value in digest(target).items() if name.endswith(".png")} == {
        name: value for name, value in digest(folder).items() if name.endswith(".png")
    }
    assert (target / LEFT_OUT).read_text() == ""


@pytest.mark.parametrize(
    ("change", "what", "counts"),
    [
        (lambda r: r[0]["unsafe_pairs"][1].update(question=""), "pair", (7, 8, 7)),
        (lambda r: r[0]["unsafe_pairs"][1].update(model_response=3), "pair", (7, 8, 7)),
        (lambda r: r[0]["unsafe_pairs"][1].update(sd_response=3), "PD pair", (8, 8, 7)),
        (lambda r: r[0]["unsafe_pairs"][1].update(kind=[]), "key", (8, 8, 8)),
        (lambda r: r[0]["unsafe_pairs"].insert(1, "pair"), "pair", (8, 8, 8)),
        (lambda r: r[0].update(unsafe_pairs={}), "key", (4, 8, 4)),
        (lambda r: r[0]["UnharmPair_image1"].update(Question=3), "pair", (8, 7, 8)),
        (lambda r: r[0]["UnharmPair_image1"].update(image=3), "pair", (8, 7, 8)),
        (lambda r: r[0]["UnharmPair_image1"].update(kind=3), "key", (8, 8, 8)),
        (lambda r: r[0].update(UnharmPair_image1=3), "pair", (8, 7, 8)),
        (lambda r: r[0].update(SDImage_path="../a.png"), "PD pairs", (8, 8, 4)),
        (lambda r: r[0].update(image_path="img/none.png"), "record", (4, 4, 4)),
        (lambda r: r[0].update(keyword=3), "key", (8, 8, 8)),
        (lambda r: r[0].update(extra=float("nan")), "key", (8, 8, 8)),
        (lambda r: r[0]["unsafe_pairs"][1].update({"odd key": ["\ud800"]}), "key", (8, 8, 8)),
        (lambda r: r.append(r[0]), "record", (8, 8, 8)),
        (lambda r: r.append([]), "text", (8, 8, 8)),
    ],
)
def test_the_smallest_part_is_left_out(
    folder: Path, change: Callable[[list[small.Record]], object], what: str, counts: tuple[int, ...]
) -> None:
    small.edit(folder, change)
    before = digest(folder)
    target, left_out = run(folder)
    assert [one[0] for one in left_out] == [what]
    assert train(target) == counts
    assert digest(folder) == before
    assert check(target, is_refusal=is_refusal).errors == ()


def test_a_record_without_pairs_is_left_out_last(folder: Path) -> None:
    def empty(records: list[small.Record]) -> None:
        for key in [key for key in records[0] if key.startswith("Unharm")]:
            records[0][key]["Question"] = ""
        records[0]["unsafe_pairs"] = []

    small.edit(folder, empty)
    target, left_out = run(folder)
    assert left_out[4:] == [("record", "part", None)]
    assert train(target) == (4, 4, 4)


def test_what_broken_json_still_holds_is_kept(folder: Path) -> None:
    path = folder / "dataset/all_train.json"
    path.write_text(path.read_text()[:-100])
    target, left_out = run(folder)
    assert left_out == [("text", "json", None)]
    assert train(target) == (4, 4, 4)


def test_misspelt_keys_are_put_right(folder: Path) -> None:
    small.edit(
        folder, lambda r: r[0]["UnharmPair_text1"].update(Predicti1on=r[0]["UnharmPair_text1"].pop("Prediction"))
    )
    target, left_out = run(folder)
    assert left_out == []
    assert small.load(target)[0] == small.record("train", 0)
    assert read(target).problems == ()


def test_broken_pictures_cost_their_records_and_leaks_the_later_ones(folder: Path) -> None:
    (folder / "img/Weapon/train0.png").write_bytes(b"none")
    shutil.copyfile(folder / "img/Privacy/train1.png", folder / "img/Privacy/validation1.png")
    target, left_out = run(folder)
    assert left_out == [("record", "image", "image_path"), ("record", "leak", "image_path")]
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
        ("pair", "refusal", "unsafe_pairs[1].model_response"),
        ("pair", "refusal", "unsafe_pairs[1].sd_response"),
        ("PD pair", "refusal", "unsafe_pairs[1].sd_response"),
    ]
    assert train(target) == (7, 8, 6)


def test_the_list_says_where_and_why(folder: Path) -> None:
    small.edit(folder, lambda records: records[0]["unsafe_pairs"][1].update(question=""))
    target, _ = run(folder)
    assert json.loads((target / LEFT_OUT).read_text()) == {
        "left_out": "pair",
        "file": str(folder / "dataset/all_train.json"),
        "record": "#1 img/Weapon/train0.png",
        "field": "unsafe_pairs[1].question",
        "message": "empty",
        "severity": "error",
        "rule": "empty",
    }


def test_links_become_files_and_lines_stay_lines(folder: Path) -> None:
    (folder / "img").rename(folder / "pictures")
    (folder / "img").symlink_to("pictures")
    lines = "".join(json.dumps(record) + "\n" for record in small.load(folder))
    (folder / "dataset/all_train.json").unlink()
    small.raw(folder, lines.encode(), "all_train.jsonl")
    target, _ = run(folder)
    assert not (target / "img").is_symlink()
    assert (target / "dataset/all_train.jsonl").read_text() == lines
    assert not (target / "pictures").exists()


@pytest.mark.parametrize("target", ["full", "small/inside", "small", "file"])
def test_targets_that_are_refused(folder: Path, target: str) -> None:
    (folder.parent / "full").mkdir()
    (folder.parent / "full/a").touch()
    (folder.parent / "file").touch()
    before = digest(folder.parent)
    with pytest.raises(UserError, match="name a"):
        fix(folder, folder.parent / target, is_refusal=is_refusal)
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

"""A check finds what is wrong with pictures and texts, and nothing where nothing is."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from safeeraser.benchmarks.reading.problems import Problem
from safeeraser.benchmarks.released.read import scan
from safeeraser.benchmarks.tools.check import Findings, check
from safeeraser.errors import UserError
from safeeraser.records import Example
from tests.benchmarks import small
from tests.pixels.odd import png


def run(folder: Path, workers: int | None = None) -> Findings:
    return check(scan(folder), is_refusal=lambda answer: answer.startswith("I cannot"), workers=workers)


def found(folder: Path) -> list[tuple[str, str, str | None, str | None]]:
    """Severity, rule, record and field of each finding, without the pictures' names."""
    return [(p.severity, p.rule, p.record and p.record.split()[0], p.field) for p in run(folder).problems]


def test_a_good_benchmark(folder: Path) -> None:
    findings = run(folder)
    assert findings.problems == ()
    assert findings.counts == {
        "records": 6,
        "images": 12,
        "unused images": 0,
        "refusals": 2,
        **{
            f"{split}/{stream}": 8
            for split in ("train", "selection", "validation")
            for stream in ("forget", "retain", "decoupled")
        },
    }


def test_what_the_reader_finds_is_found_and_the_rest_is_looked_at(folder: Path) -> None:
    small.edit(folder, lambda records: records[0]["unsafe_pairs"][0].update(question=""))
    (folder / "img/Privacy/train1.png").write_bytes(b"no picture")
    assert found(folder) == [
        ("error", "empty", "#1", "unsafe_pairs[0].question"),
        ("error", "image", "#2", "image_path"),
    ]


def test_no_folder(tmp_path: Path) -> None:
    findings = run(tmp_path / "none")
    assert [problem.rule for problem in findings.errors] == ["file"]
    assert findings.counts["records"] == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (png(20_000, 20_000), "a decompression bomb, by its header; at most 50,000,000"),
        (png(10_000, 5_001), "10,000 x 5,001 pixels"),
        (png(8, 8)[:-20], "does not decode"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a picture of a known format"),
        (b"", "empty file"),
    ],
)
def test_pictures_that_do_not_decode(folder: Path, content: bytes, said: str) -> None:
    (folder / "img/Weapon/train0.png").write_bytes(content)
    (problem,) = run(folder).problems
    assert (problem.severity, problem.field) == ("error", "image_path")
    assert said in problem.message


def test_a_broken_safe_picture_is_reported_for_each_record_that_names_it(folder: Path) -> None:
    small.edit(folder, lambda records: records[1].update(SDImage_path=records[0]["SDImage_path"]))
    (folder / "pdset/image/Privacy/train/1.png").unlink()
    picture = folder / "pdset/image/Weapon/train/0.png"
    picture.write_bytes(picture.read_bytes()[:-30])
    assert found(folder) == [("error", "image", f"#{number}", "SDImage_path") for number in (1, 2)]


# Pictures that should not be the same


def _copy(source: str, target: str) -> Callable[[Path], object]:
    return lambda folder: shutil.copyfile(folder / source, folder / target)


def _resized(source: str, target: str) -> Callable[[Path], object]:
    """The same picture to the eye, in other bytes."""
    return lambda folder: Image.open(folder / source).resize((60, 60)).save(folder / target)


LEAK = ("img/Weapon/train0.png", "img/Privacy/validation1.png")
ROLE = ("img/Weapon/train0.png", "pdset/image/Privacy/train/1.png")
TWICE = ("img/Weapon/train0.png", "img/Privacy/train1.png")


@pytest.mark.parametrize(
    ("lay", "severity", "rule", "record", "field"),
    [
        (_copy(*LEAK), "error", "leak", "#2", "image_path"),
        (_copy(*ROLE), "error", "role", "#2", "SDImage_path"),
        (_copy(*TWICE), "warning", "duplicate", "#2", "image_path"),
        (_resized(*LEAK), "warning", "leak", "#2", "image_path"),
        (_resized(*ROLE), "warning", "role", "#2", "SDImage_path"),
        (_resized(*TWICE), "warning", "duplicate", "#2", "image_path"),
    ],
)
def test_one_picture_twice(
    folder: Path, lay: Callable[[Path], object], severity: str, rule: str, record: str, field: str
) -> None:
    lay(folder)
    assert found(folder) == [(severity, rule, record, field)]


def test_the_validation_split_is_blamed_for_a_leak(folder: Path) -> None:
    _copy(*LEAK)(folder)
    (problem,) = run(folder).problems
    assert problem.file.name == "all_val.json"
    assert problem.message == "the same picture as 'img/Weapon/train0.png' in train (harmful)"


def test_one_file_named_in_two_splits_is_a_leak(folder: Path) -> None:
    small.edit(folder, lambda records: records[0].update(SDImage_path="pdset/image/Weapon/train/0.png"), "all_val.json")
    assert ("error", "leak", "#1", "SDImage_path") in found(folder)


def test_one_file_as_harmful_and_as_safe_picture_of_a_record(folder: Path) -> None:
    small.edit(folder, lambda records: records[0].update(SDImage_path=records[0]["image_path"]))
    assert ("error", "role", "#1", "SDImage_path") in found(folder)


def test_what_is_retained_about_a_picture_hides_no_role(folder: Path) -> None:
    """The first record that names the picture only retains."""
    small.edit(folder, lambda records: records[0].pop("unsafe_pairs"))
    small.edit(folder, lambda records: records[0].pop("SDImage_path"))
    small.edit(folder, lambda records: records.append(records[1] | {"id": "third"}))
    small.edit(folder, lambda records: records[1].update(image_path=records[0]["image_path"]))
    small.edit(folder, lambda records: records[2].update(SDImage_path=records[0]["image_path"]))
    assert ("error", "role", "#3", "SDImage_path") in found(folder)


def test_a_safe_picture_may_serve_many_records_of_its_split(folder: Path) -> None:
    small.edit(folder, lambda records: records[1].update(SDImage_path=records[0]["SDImage_path"]))
    assert found(folder) == [("warning", "unused", None, None)]


def test_the_same_shapes_in_another_colour_are_another_picture(folder: Path) -> None:
    red, green, blue = Image.open(folder / TWICE[0]).split()
    Image.merge("RGB", (blue, red, green)).save(folder / TWICE[1])
    assert found(folder) == []


def test_plain_pictures_of_different_colours_are_not_alike(folder: Path) -> None:
    for path, colour in zip(sorted(folder.rglob("*.png")), range(0, 240, 20), strict=True):
        Image.new("RGB", (32, 32), (colour, colour, colour)).save(path)
    assert found(folder) == []


# Texts


@pytest.mark.parametrize(
    ("change", "rule", "field"),
    [
        (lambda r: r["unsafe_pairs"][1].update(model_response="I cannot do it"), "refusal", "[1].model_response"),
        (lambda r: r["unsafe_pairs"][1].update(sd_response="I cannot do it"), "refusal", "[1].sd_response"),
        (lambda r: r["unsafe_pairs"][1].update(question="w" * 1001), "long", "[1].question"),
        (lambda r: r["unsafe_pairs"][1].update(sd_response="w" * 4001), "long", "[1].sd_response"),
        (lambda r: r["unsafe_pairs"][1].update(question="\u202ewhat"), "control", "[1].question"),
        (lambda r: r["unsafe_pairs"][1].update(model_response="\x1b[31m"), "control", "[1].model_response"),
        (lambda r: r["unsafe_pairs"][1].update(question="how is this  USED, train 0, 0?"), "repeated", "[1].question"),
    ],
)
def test_texts(folder: Path, change: Callable[[small.Record], object], rule: str, field: str) -> None:
    small.edit(folder, lambda records: change(records[0]), "all_val.json")
    assert found(folder) == [("warning", rule, "#1", f"unsafe_pairs{field}")]


def test_questions_may_repeat_within_a_split(folder: Path) -> None:
    small.edit(folder, lambda records: records[1].update(UnharmPair_text1=records[0]["UnharmPair_text1"]))
    assert found(folder) == []


def test_family_emoji_and_umlauts_are_ordinary_text(folder: Path) -> None:
    text = "Was zeigt das Bild? \U0001f468\u200d\U0001f469\u200d\U0001f467 größer\n\té"
    small.edit(folder, lambda records: records[0]["unsafe_pairs"][0].update(question=text))
    assert found(folder) == []


def test_pictures_that_no_record_names(folder: Path) -> None:
    small.draw(folder / "img/extra.JPG")
    (folder / "link").symlink_to(folder.parent)
    findings = run(folder)
    assert findings.counts["unused images"] == 1
    assert [problem.message for problem in findings.problems] == [
        "1 pictures that no record names, such as 'img/extra.JPG'"
    ]


# How it runs


def test_threads_find_the_same(folder: Path) -> None:
    _copy(*LEAK)(folder)
    _resized(*TWICE)(folder)
    (folder / "img/Weapon/validation0.png").write_bytes(png(20_000, 20_000))
    alone = run(folder, workers=1)
    assert run(folder, workers=2) == alone
    assert len(alone.problems) == 3


def test_progress_counts_pictures(folder: Path) -> None:
    calls: list[tuple[int, int]] = []
    check(scan(folder), is_refusal=lambda _: False, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(number, 12) for number in range(1, 13)]


def test_findings_by_rule_and_as_values(folder: Path) -> None:
    problems = [
        Problem(folder, "#1 a.png", ("keyword",), "odd", "warning", "key", 1),
        Problem(folder, None, (), "gone", "error", "file"),
        Problem(folder, None, (), "gone too", "error", "file"),
    ]
    findings = Findings(tuple(problems), {})
    assert {key: len(found) for key, found in findings.by_rule().items()} == {
        ("error", "file"): 2,
        ("warning", "key"): 1,
    }
    assert findings.errors == tuple(problems[1:])
    assert problems[0].to_dict() == {
        **{"file": str(folder), "record": "#1 a.png", "field": "keyword"},
        **{"message": "odd", "severity": "warning", "rule": "key"},
    }


def test_long_thin_pictures_are_a_warning(folder: Path) -> None:
    Image.new("RGB", (1000, 4)).save(folder / "img/Weapon/train0.png")
    (problem,) = run(folder).problems
    assert (problem.rule, problem.severity, problem.field) == ("thin", "warning", "image_path")


def test_what_a_model_refuses_is_named(folder: Path) -> None:
    def prepare(example: Example) -> None:
        if example.id == "train/img/Weapon/train0/image1":
            raise UserError("2,000 tokens, the model has positions for 1,000")

    found = check(scan(folder), is_refusal=lambda _: False, prepare=prepare)
    assert [(one.rule, one.record, one.field) for one in found.errors] == [
        ("model", "#1 img/Weapon/train0.png", "UnharmPair_image1.Question")
    ]

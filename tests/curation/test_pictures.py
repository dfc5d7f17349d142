"""Pictures are found in folders and lists; what is wrong is named, and copies are left out."""

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from safeeraser.curation.findings import Gate
from safeeraser.curation.pictures import Listed, read, screen
from safeeraser.errors import UserError
from tests.benchmarks.sources import write_workbook
from tests.curation.world import picture


def test_a_folder_has_categories_and_may_have_keywords(tmp_path: Path) -> None:
    picture(tmp_path / "Weapon" / "a.png", 1)
    picture(tmp_path / "Weapon" / "bomb" / "b.jpg", 2)
    (tmp_path / "Weapon" / "notes.txt").write_text("no picture")
    found = [(one.name, one.category, one.keyword) for one in read(tmp_path, categories=True)]
    assert found == [("Weapon/a.png", "Weapon", None), ("Weapon/bomb/b.jpg", "Weapon", "bomb")]


def test_safe_pictures_need_no_folder_and_may_have_keywords(tmp_path: Path) -> None:
    picture(tmp_path / "a.png", 1)
    picture(tmp_path / "kite" / "b.png", 2)
    assert [(one.name, one.keyword) for one in read(tmp_path, categories=False)] == [
        ("a.png", None),
        ("kite/b.png", "kite"),
    ]


ROW = {"image": "pictures/a.png", "category": "Caf\xe9s", "keyword": "bomb"}
TABLE = "{}\r\n{}\r\n;;\r\n".format(";".join(ROW), ";".join(ROW.values()))
LISTS = {
    "list.csv": TABLE.replace(";", ",").encode(),
    "semicolons.csv": TABLE.encode("cp1252"),
    "LIST.CSV": TABLE.encode("utf-8-sig"),
    "tabs.tsv": TABLE.replace(";", "\t").encode("utf-16"),
    "list.jsonl": json.dumps(ROW).encode() + b"\n\n",
    "commas.jsonl": json.dumps(ROW).encode("utf-8-sig") + b",\n",
    "list.json": json.dumps([ROW]).encode(),
}


@pytest.mark.parametrize("name", LISTS)
def test_a_list_says_the_same_as_a_folder(tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    picture(tmp_path / "pictures" / "a.png", 1)
    (tmp_path / name).write_bytes(LISTS[name])
    assert read(tmp_path / name, categories=True) == [
        Listed(tmp_path / "pictures/a.png", "pictures/a.png", "Caf\xe9s", "bomb")
    ]
    assert ("Windows-1252" in caplog.text) == (name == "semicolons.csv")


def test_a_workbook_is_a_list(tmp_path: Path) -> None:
    picture(tmp_path / "pictures" / "a.png", 1)
    write_workbook(tmp_path / "list.xlsx", [ROW])
    assert [one.category for one in read(tmp_path / "list.xlsx", categories=True)] == ["Caf\xe9s"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,categry\na.png,Weapon\n", r"list.csv: #1: unknown column 'categry'; did you mean 'category'"),
        ("picture,category\na.png,Weapon\n", r"list.csv: no column image; found 'picture', 'category'"),
        (f"image,category\n{'a' * 300}.png,Weapon\n", r"list.csv: #1: image: no such file 'aaa"),
        ("image,category\nb.png,Weapon\n", r"list.csv: #1: image: no such file 'b.png'"),
        ("image,category\na.png,\n", r"list.csv: #1: category: missing"),
        ("image,category\na.png,../up\n", r"list.csv: #1: category: not fit for a folder's name"),
        ("image,category\na.png,..\n", r"list.csv: #1: category: not fit"),
        ("image,category\na.png,a\\b\n", r"list.csv: #1: category: not fit"),
        ("image,category,keyword\na.png,Weapon,\x1b[31m\n", r"list.csv: #1: category or keyword: control characters"),
    ],
)
def test_every_row_that_is_wrong_is_named(tmp_path: Path, text: str, message: str) -> None:
    picture(tmp_path / "a.png", 1)
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(UserError, match=message):
        read(tmp_path / "list.csv", categories=True)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda root: picture(root / "a.png", 1), "a.png: in no folder of a category"),
        (lambda root: picture(root / "a" / "b" / "c" / "d.png", 1), "d.png: too deep"),
        (lambda root: picture(root / "a\nb" / "d.png", 1), "category: control characters, or not UTF-8"),
        (lambda root: picture(root / "a\udcffb" / "d.png", 1), "category: control characters, or not UTF-8"),
        (lambda root: root.mkdir(exist_ok=True), "no pictures"),
    ],
)
def test_a_folder_of_another_layout_is_refused(tmp_path: Path, make, message: str) -> None:
    make(tmp_path)
    with pytest.raises(UserError, match=message):
        read(tmp_path, categories=True)


def test_copies_look_alikes_and_broken_pictures_are_left_out_and_named(tmp_path: Path) -> None:
    original = picture(tmp_path / "img" / "Weapon" / "a.png", 1)
    picture(tmp_path / "img" / "Weapon" / "d.png", 2)
    shutil.copy(original, tmp_path / "img" / "Weapon" / "b.png")
    with Image.open(original) as image:
        image.resize((48, 48), Image.Resampling.NEAREST).save(tmp_path / "img" / "Weapon" / "c.png")
    (tmp_path / "img" / "Weapon" / "e.png").write_bytes(b"not a picture")
    picture(tmp_path / "safe" / "f.png", 3)
    shutil.copy(original, tmp_path / "safe" / "g.png")
    gate = Gate(())
    harmful, safe = screen(read(tmp_path / "img", categories=True), read(tmp_path / "safe", categories=False), gate)
    assert [one.name for one in harmful] == ["Weapon/a.png", "Weapon/d.png"]
    assert [one.name for one in safe] == ["f.png"]
    found = {finding.record: (finding.rule, finding.cost) for finding in gate.findings}
    assert found == {
        "Weapon/b.png": ("duplicate", "picture"),
        "Weapon/c.png": ("duplicate", "picture"),
        "Weapon/e.png": ("image", "picture"),
        "g.png": ("role", "picture"),
    }

"""Records in the terminal and on a contact sheet: complete, and harmless whatever the texts hold."""

import json
import re
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from safeeraser.benchmarks.released.read import read
from safeeraser.benchmarks.tools.cards import cards
from safeeraser.benchmarks.tools.sheet import contact_sheet
from safeeraser.benchmarks.tools.show import show
from safeeraser.errors import UserError
from safeeraser.records import Split
from safeeraser.text import plain
from tests.benchmarks import small


def shown(folder: Path, *, colours: bool, encoding: str = "utf-8") -> str:
    buffer = StringIO()
    console = Console(file=buffer, width=400, force_terminal=colours, color_system="truecolor" if colours else None)
    if encoding != "utf-8":
        buffer = Latin()
        console.file = buffer
    show(cards(read(folder), split=Split.TRAIN), console)
    return buffer.getvalue()


class Latin(StringIO):
    """A terminal that has no half blocks."""

    encoding = "latin-1"


def test_cards_are_records(folder: Path) -> None:
    benchmark = read(folder)
    assert [card.id for card in cards(benchmark)][:2] == ["train/img/Weapon/train0", "train/img/Privacy/train1"]
    assert [len(card.pairs()) for card in cards(benchmark)] == [12] * 6
    assert [card.split for card in cards(benchmark, split=Split.VALIDATION)] == [Split.VALIDATION] * 2
    assert [card.category for card in cards(benchmark, category="Weapon")] == ["Weapon"] * 3
    assert cards(benchmark)[0].pictures() == [
        (folder / "img/Weapon/train0.png", "harmful", "thing train 0"),
        (folder / "pdset/image/Weapon/train/0.png", "safe", None),
    ]


def test_an_unknown_category_lists_near_ones(folder: Path) -> None:
    with pytest.raises(UserError, match="did you mean 'Weapon'"):
        cards(read(folder), category="Weapons")


def test_a_record_without_forget_pairs_shows_a_picture_of_no_role(folder: Path) -> None:
    small.edit(folder, lambda records: records[0].pop("unsafe_pairs"))
    assert cards(read(folder))[0].pictures() == [(folder / "img/Weapon/train0.png", "picture", "thing train 0")]


def test_every_text_and_picture_is_in_the_terminal(folder: Path) -> None:
    text = shown(folder, colours=False)
    for number in range(2):
        record = small.record("train", number)
        for pair in record["unsafe_pairs"]:
            assert all(value in text for value in pair.values())
        assert record["UnharmPair_text1"]["Prediction"] in text
    assert "img/Weapon/train0.png" in text.replace("\n", "")
    assert "▀" not in text
    assert "\x1b" not in text


def test_pictures_where_the_terminal_has_colours(folder: Path) -> None:
    (folder / "pdset/image/Privacy/train/1.png").write_bytes(b"broken")
    text = shown(folder, colours=True)
    assert text.count("▀") == 3 * 32 * 16
    assert "not a picture of a known format" in text
    assert "▀" not in shown(folder, colours=True, encoding="latin-1")


EVIL = "<script>alert(1)</script> {{ 7 * 7 }} [red]x[/red] \x1b[2J \u202egnp.exe \x9b31m"


def test_texts_cannot_do_anything(folder: Path) -> None:
    small.edit(folder, lambda records: records[0].update(keyword=EVIL, category=EVIL, id=EVIL))
    small.edit(folder, lambda records: records[0]["unsafe_pairs"][0].update(question=EVIL, sd_response=EVIL))
    text = shown(folder, colours=False)
    assert "[red]x[/red]" in text
    assert not set("\x1b\x9b\u202e") & set(text)
    contact_sheet(EVIL, cards(read(folder)), folder.parent / "sheet.html")
    page = (folder.parent / "sheet.html").read_text()
    assert page.count("<script") == 2  # the sheet's own: its data and its code
    assert "{{ 7 * 7 }}" in page
    assert not set("\x1b\x9b\u202e") & set(page)


def sheet_data(target: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        re.findall(r'<script type="application/json" id="data">(.*)</script>', target.read_text())[0]
    )
    return found


def test_the_sheet_holds_everything_itself(folder: Path) -> None:
    target = folder.parent / "sheet.html"
    assert contact_sheet("small", cards(read(folder)), target) == 6
    held = sheet_data(target)
    assert len(held["pictures"]) == 12
    assert {each.partition(",")[0] for each in held["pictures"]} == {"data:image/webp;base64"}
    groups = [(each["category"], len(each["cards"]), each["total"]) for each in held["groups"]]
    assert groups == [("Privacy", 3, 3), ("Weapon", 3, 3)]
    asked = [pair for group in held["groups"] for card in group["cards"] for pair in card["pairs"]]
    assert sorted(map(tuple, asked)) == sorted((e.stream, e.question, e.answer) for e in read(folder).examples)


def test_the_sheet_takes_some_of_each_category_and_survives_broken_pictures(folder: Path) -> None:
    (folder / "img/Weapon/train0.png").write_bytes(b"broken")
    target = folder.parent / "sheet.html"
    assert contact_sheet("small", cards(read(folder)), target, per_category=1) == 2
    held = sheet_data(target)
    assert [(len(each["cards"]), each["total"]) for each in held["groups"]] == [(1, 3), (1, 3)]
    assert held["pictures"].count(None) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a\r\nb\rc\td", "a\nb\nc   d"), ("\x07\u2066x", "\ufffd\ufffdx"), ("größer \U0001f469\u200d\U0001f467", None)],
)
def test_plain_text(text: str, expected: str | None) -> None:
    assert plain(text) == (text if expected is None else expected)

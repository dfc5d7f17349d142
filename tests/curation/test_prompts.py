"""The shipped prompts work as they are; a user's take their place, and mistakes in them are named."""

import itertools
from pathlib import Path

import pytest

from safeeraser.curation.prompts import Prompts, Role, shipped, write_out
from safeeraser.errors import UserError
from safeeraser.records import Split


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("keyword", ["pistol", None])
def test_shipped_prompts_fill_and_ask_for_the_number(role: Role, keyword: str | None) -> None:
    text = Prompts().ask(role, "Weapon", count=7, keyword=keyword, split="train", variety=1)
    assert "7" in text
    assert "JSON list" in text
    assert "{" not in text
    assert ("pistol" in text) == (keyword is not None and role is not Role.RETAIN_TEXT)


@pytest.mark.parametrize("role", list(Role))
def test_no_two_splits_share_a_shipped_question(role: Role) -> None:
    lines = {split: Prompts().template(role, "Weapon", keyword="pistol", split=split.value) for split in Split}
    for one, other in itertools.combinations(Split, 2):
        assert not {line.casefold() for line in lines[one]} & {line.casefold() for line in lines[other]}
    assert all(len(set(found)) == len(found) >= (4 if role is Role.FORGET else 2) for found in lines.values())


def test_a_file_of_the_user_takes_the_place_of_the_shipped_one_alone(tmp_path: Path) -> None:
    (tmp_path / "template_forget.jinja").write_text("Use the {{ category }}?\n\n")
    (tmp_path / "refusals.txt").write_text("# none\nNo.\n")
    prompts = Prompts(tmp_path)
    assert prompts.template(Role.FORGET, "Weapon", keyword=None, split="train") == ["Use the Weapon?"]
    assert prompts.refusals == ("No.",)
    assert prompts.subjects == Prompts().subjects


def test_a_category_can_have_a_file_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "ask_forget.Weapon.jinja").write_text("Special {{ count }}.")
    prompts = Prompts(tmp_path)
    assert prompts.ask(Role.FORGET, "Weapon", count=2, keyword=None, split="train", variety=1) == "Special 2."
    assert "Special" not in prompts.ask(Role.FORGET, "Privacy", count=2, keyword=None, split="train", variety=1)
    assert "ask_forget.Weapon.jinja" in prompts.hashes()


def test_written_out_they_are_what_is_shipped(tmp_path: Path) -> None:
    write_out(tmp_path / "mine")
    assert {path.name: path.read_text() for path in (tmp_path / "mine").iterdir()} == shipped()
    assert Prompts(tmp_path / "mine").hashes() == Prompts().hashes()
    with pytest.raises(UserError, match="exists already"):
        write_out(tmp_path / "mine")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("ask_forgt.jinja", "x", r"unknown prompt file 'ask_forgt.jinja'; did you mean 'ask_forget.jinja'"),
        ("picture.Weapon.jinja", "x", "unknown prompt file"),
        ("refusals.txt", "# nothing\n", r"refusals.txt: empty"),
    ],
)
def test_a_folder_that_cannot_be_used_is_named_at_once(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=message):
        Prompts(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("one\n{% if x %}", r"template_forget.jinja:2: .*end of template"),
        ("{{ keywrd }}", r"template_forget.jinja: 'keywrd' is undefined \(the slots are category, keyword, split\)"),
        ("{{ 1 // 0 }}", r"template_forget.jinja: integer division or modulo by zero"),
        ("{{ ''.__class__.__mro__ }}", r"template_forget.jinja: access to attribute '__class__'"),
    ],
)
def test_a_mistake_in_a_template_is_named_with_its_file(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "template_forget.jinja").write_text(text)
    with pytest.raises(UserError, match=message):
        Prompts(tmp_path).template(Role.FORGET, "Weapon", keyword="x", split="train")


def test_a_folder_of_a_file_s_name_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "ask_forget.Weapon.jinja").mkdir()
    assert Prompts(tmp_path).hashes() == Prompts().hashes()


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="data prompts"):
        Prompts(tmp_path / "none")

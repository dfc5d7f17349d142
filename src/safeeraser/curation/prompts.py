"""The prompts, question templates and lists that users may change: files, and where each is looked for."""

from __future__ import annotations

import importlib.resources
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

from jinja2 import TemplateError, TemplateSyntaxError

from safeeraser import provenance
from safeeraser.errors import UserError, unknown
from safeeraser.files import require_new, write_text
from safeeraser.text import templates

_PACKAGE = "safeeraser.curation"


class Role(StrEnum):
    """What a question is for. Those of `retain_text` are asked without the picture."""

    FORGET = "forget"
    RETAIN_TEXT = "retain_text"
    RETAIN_IMAGE = "retain_image"


class Prompts:
    """The files of a user's folder, and the shipped ones for those it does not have.

    `ask_<role>.jinja` tells a model what questions to write; `template_<role>.jinja` holds questions, one a line. A
    file for one category is named after it: `ask_forget.Weapon.jinja`. `picture.jinja` describes a safe picture,
    `subjects.txt` what such pictures show, and `refusals.txt` what a model is taught to answer.
    Raises UserError for a file of another name in the folder, and for a missing or empty list.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._environment = templates()
        if folder is not None:
            _check(folder)
        self.refusals = self._list("refusals.txt")
        self.subjects = self._list("subjects.txt")

    def ask(self, role: Role, category: str, **slots: object) -> str:
        """What a model is told that writes the questions of this role."""
        return self._render("ask", role, category, slots)

    def template(self, role: Role, category: str, **slots: object) -> list[str]:
        """The questions of this role to choose from: the template's lines. Raises UserError where there are none."""
        lines = self._render("template", role, category, slots).splitlines()
        return [line.strip() for line in lines if line.strip()]

    def picture(self, subject: str) -> str:
        """What a text-to-image model is told."""
        return self._fill("picture.jinja", {"subject": subject})

    def hashes(self) -> dict[str, str]:
        """sha256 of every file in use, 16 hex digits each."""
        own = [path.name for path in sorted(self._folder.iterdir()) if path.is_file()] if self._folder else []
        return {name: provenance.text_hash(self._text(name)) for name in sorted({*shipped(), *own})}

    def _render(self, kind: str, role: Role, category: str, slots: dict[str, object]) -> str:
        special = f"{kind}_{role}.{category}.jinja"
        own = self._folder is not None and (self._folder / special).is_file()
        return self._fill(special if own else f"{kind}_{role}.jinja", {"category": category, **slots})

    def _fill(self, name: str, slots: dict[str, object]) -> str:
        try:
            return self._environment.from_string(self._text(name)).render(slots).strip()
        except TemplateSyntaxError as error:
            raise UserError(f"{self._place(name)}:{error.lineno}: {error.message}") from error
        except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as error:
            # an unknown slot, arithmetic on a text, a division by zero
            slots_there = ", ".join(sorted(slots))
            raise UserError(f"{self._place(name)}: {error} (the slots are {slots_there})") from error

    def _list(self, name: str) -> tuple[str, ...]:
        lines = [line.strip() for line in self._text(name).splitlines()]
        found = tuple(line for line in lines if line and not line.startswith("#"))
        if not found:
            raise UserError(f"{self._place(name)}: empty; expected one a line")
        return found

    def _text(self, name: str) -> str:
        if self._folder is None or not (self._folder / name).is_file():
            return shipped()[name]
        try:
            return (self._folder / name).read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise UserError(f"{self._folder / name}: not UTF-8 text") from error

    def _place(self, name: str) -> Path:
        own = self._folder is not None and (self._folder / name).is_file()
        return self._folder / name if own and self._folder else Path(name)


def shipped() -> dict[str, str]:
    """The shipped files' texts, by name."""
    folder = importlib.resources.files(_PACKAGE) / "prompts"
    files = sorted(folder.iterdir(), key=lambda file: file.name)
    return {file.name: file.read_text(encoding="utf-8") for file in files if file.name.endswith((".jinja", ".txt"))}


def write_out(folder: Path) -> list[Path]:
    """Write the shipped files into a folder, to be changed. Raises UserError, and writes none, where one is there."""
    targets = {folder / name: text for name, text in shipped().items()}
    for path in targets:
        require_new(path)
    for path, text in targets.items():
        write_text(path, text)
    return list(targets)


def _check(folder: Path) -> None:
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder of prompts; `safeeraser data prompts {folder}` writes one")
    for name in _unknown(folder):
        raise UserError(f"{folder / name}: {unknown('prompt file', name, shipped())}")


def _unknown(folder: Path) -> Iterator[str]:
    for path in sorted(folder.iterdir()):
        stem, _, rest = path.name.partition(".")
        of_a_category = rest.count(".") >= 1 and f"{stem}.jinja" in shipped() and stem != "picture"
        if path.name not in shipped() and not (of_a_category and rest.endswith(".jinja")):
            yield path.name

"""The pictures a benchmark is made from: a folder of folders, or a list; each looked at, copies left out."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Any

from safeeraser.benchmarks.tools.decode import Decoded, Progress, decode_all
from safeeraser.benchmarks.tools.perceptual_hash import PerceptualHash, alike
from safeeraser.curation.findings import Gate
from safeeraser.errors import UserError, unknown
from safeeraser.pixels import FORMATS
from safeeraser.text import hidden

_SUFFIXES = (".jpg", *(f".{name.lower()}" for name in FORMATS))
_COLUMNS = ("image", "category", "keyword")


@dataclass(frozen=True, slots=True)
class Listed:
    """A picture as its owner lists it. `name` is its path below the folder, or as it stands in the list."""

    path: Path
    name: str
    category: str
    keyword: str | None


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that decodes. `sha256` is of its bytes; equal bytes are one picture."""

    path: Path
    name: str
    category: str
    keyword: str | None
    sha256: str


def read(source: Path, *, categories: bool) -> list[Listed]:
    """The pictures of a folder (`<category>/<picture>` or `<category>/<keyword>/<picture>`) or a list, by name.

    A list is a CSV file with the columns image, category and keyword, or JSON lines with these keys; its paths start
    at its own folder. Without `categories` (safe pictures) there is one folder level less, and no category column is
    needed.
    Raises UserError with everything that is wrong, and where there are no pictures.
    """
    if not source.exists():
        raise UserError(f"{source}: no such folder or list of pictures")
    found = list(_walk(source, categories) if source.is_dir() else _from_list(source, categories))
    if not found:
        layout = "<category>/<picture>" if categories else "<picture>"
        raise UserError(f"{source}: no pictures; expected {layout} with the suffix {', '.join(_SUFFIXES)}")
    return sorted(found, key=lambda one: one.name)


def screen(
    harmful: Sequence[Listed], safe: Sequence[Listed], gate: Gate, *, progress: Progress | None = None
) -> tuple[list[Picture], list[Picture]]:
    """The harmful and the safe pictures that decode and are no copies: of each other, or of the other kind.

    What is left out is noted in the gate. Copies and look-alikes go before the splits are made, so that no picture
    can be in two of them.
    """
    decoded = decode_all([one.path for one in (*harmful, *safe)], progress=progress, workers=None)
    seen = [(one, role, decoded[one.path]) for role, ones in (("harmful", harmful), ("safe", safe)) for one in ones]
    good: list[tuple[Listed, str, Decoded]] = []
    for one, role, found in seen:
        if isinstance(found, str):
            gate.passes(one.name, None, "image", found, cost="picture")
        else:
            good.append((one, role, found))
    copies = _copies([found.hash for _, _, found in good])
    kept: dict[str, list[Picture]] = {"harmful": [], "safe": []}
    for index, (one, role, found) in enumerate(good):
        original = next((good[other] for other in copies.get(index, ()) if other not in copies), None)
        if original is None:
            copies.pop(index, None)
            kept[role].append(Picture(one.path, one.name, one.category, one.keyword, found.sha256))
        else:
            rule = "duplicate" if role == original[1] else "role"
            gate.passes(one.name, None, rule, f"looks like {original[0].name} ({original[1]})", cost="picture")
    return kept["harmful"], kept["safe"]


def _copies(hashes: Sequence[PerceptualHash]) -> dict[int, list[int]]:
    """For each picture that looks like earlier ones, these."""
    found: dict[int, list[int]] = {}
    for later, earlier in alike(hashes, range(len(hashes))):
        found.setdefault(later, []).append(earlier)
    return found


def _walk(root: Path, categories: bool) -> Iterator[Listed]:
    problems = []
    for path in sorted(root.rglob("*")):
        if path.suffix.lower() not in _SUFFIXES or not path.is_file():
            continue
        name = path.relative_to(root)
        folders = list(name.parts[:-1])
        if not categories:
            folders.insert(0, "")
        if 1 <= len(folders) <= 2:
            yield Listed(path, name.as_posix(), folders[0], folders[1] if len(folders) == 2 else None)
        else:
            problems.append(f"{path}: {'too deep' if folders else 'in no folder of a category'}")
    if problems:
        raise UserError("\n".join(problems[:20]))


def _from_list(source: Path, categories: bool) -> Iterator[Listed]:
    problems: list[str] = []
    for number, row in _rows(source):
        found = _listed(source, row, categories)
        if isinstance(found, Listed):
            yield found
        else:
            problems += [f"{source}:{number}: {problem}" for problem in found]
    if problems:
        raise UserError("\n".join(problems[:20]))


def _rows(source: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        text = source.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{source}: not UTF-8 text") from error
    if source.suffix == ".csv":
        reader = csv.DictReader(text.splitlines())
        for row in reader:
            yield reader.line_num, {str(key): value for key, value in row.items()}
    elif source.suffix == ".jsonl":
        for number, line in enumerate(text.splitlines(), start=1):
            yield number, _json_row(line, f"{source}:{number}")
    else:
        raise UserError(f"{source}: expected a folder, a .csv or a .jsonl file")


def _json_row(line: str, place: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise UserError(f"{place}: not JSON ({error})") from error
    if not isinstance(row, dict):
        raise UserError(f"{place}: expected an object, found {type(row).__name__}")
    return row


def _listed(source: Path, row: dict[str, Any], categories: bool) -> Listed | list[str]:
    """A row's picture, or everything that is wrong with it."""
    problems = [unknown("column", key, _COLUMNS) for key in row if key not in _COLUMNS]
    problems += [f"{key}: expected text" for key in _COLUMNS if not isinstance(row.get(key), str | None)]
    if problems:
        return problems
    name, category, keyword = ((row.get(key) or "").strip() for key in _COLUMNS)
    if not name or not (source.parent / name).is_file():
        problems.append(f"image: no such file {name!r}" if name else "image: missing")
    if categories and (not category or category in (".", "..") or len(PureWindowsPath(category).parts) != 1):
        problems.append("category: missing" if not category else f"category: not fit for a folder's name: {category!r}")
    if hidden(category + keyword):
        problems.append("category or keyword: control characters")
    return problems or Listed(source.parent / name, name, category, keyword or None)

"""The pictures a benchmark is made from: a folder of folders, or a list; each looked at, copies left out."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Any

from safeeraser.benchmarks.reading.fields import any_text
from safeeraser.benchmarks.reading.folder import in_no_path
from safeeraser.benchmarks.reading.problems import BenchmarkError, Spot
from safeeraser.benchmarks.reading.reading import Reading
from safeeraser.benchmarks.reading.tables import TABLES, file_entries, json_entries
from safeeraser.benchmarks.tools.decode import Decoded, Progress, decode_all
from safeeraser.benchmarks.tools.perceptual_hash import PerceptualHash, alike
from safeeraser.curation.findings import Gate
from safeeraser.errors import UserError, unknown
from safeeraser.files import real
from safeeraser.pixels import FORMATS
from safeeraser.text import hidden, quoted

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

    A list is a table (.csv, .tsv, .xlsx) with the columns image, category and keyword, or JSON with these keys; its
    paths start at its own folder. Without `categories` (safe pictures) there is one folder level less, and no category
    column is needed.
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
        if in_no_path("".join(folders[:1])):  # the benchmark has a folder of this name, which no reader would take
            problems.append(f"{quoted(str(path))}: category: control characters, or not UTF-8")
        elif 1 <= len(folders) <= 2:
            yield Listed(path, name.as_posix(), folders[0], folders[1] if len(folders) == 2 else None)
        else:
            problems.append(f"{path}: {'too deep' if folders else 'in no folder of a category'}")
    if problems:
        raise UserError("\n".join(problems[:20]))


def _from_list(source: Path, categories: bool) -> Iterator[Listed]:
    place = real(source)
    reading = Reading(place.parent, source.name)
    if source.suffix.lower() in TABLES:
        entries = file_entries(reading, place.name, _COLUMNS[:1])
    elif source.suffix.lower() in (".json", ".jsonl"):
        entries = json_entries(reading, place.name)
    else:
        raise UserError(f"{source}: expected a folder, a table ({', '.join(TABLES)}), .json or .jsonl")
    found = [_listed(source.parent, row, spot, categories) for _, row, spot in entries]
    if wrong := reading.told():
        raise BenchmarkError(wrong)
    yield from found


def _listed(folder: Path, row: dict[str, Any], spot: Spot, categories: bool) -> Listed:
    """A row's picture; what is wrong with it is reported."""
    for key in row:
        if key and key not in _COLUMNS:
            spot.error("key", unknown("column", key, _COLUMNS))
    name, category, keyword = ((any_text(row, key, spot) or "").strip() for key in _COLUMNS)
    if not os.path.isfile(folder / name):  # noqa: PTH113 - no error for what can be no path
        spot.at("image").error("path", f"no such file {quoted(name)}" if name else "missing")
    if categories and (not category or category in (".", "..") or len(PureWindowsPath(category).parts) != 1):
        said = f"not fit for a folder's name: {quoted(category)}" if category else "missing"
        spot.at("category").error("category", said)
    if hidden(category + keyword):
        spot.error("control", "category or keyword: control characters")
    return Listed(folder / name, name, category, keyword or None)

"""Where a result comes from: package versions, the git commit, hashes of content."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from safeeraser.files import append_text, cache_folder, file_state
from safeeraser.text import json_text

MADE_OF = "merged.json"
"""Says of what a merged model was made; it is no part of its content."""

_REMEMBERED = 2**20  # bytes of a file from which its hash is kept: smaller ones are as quickly read
_MEANING = {
    "questions": "made from other examples",
    "data": "the data have changed",
    "pictures": "pictures have changed under their names",
    "weights": "the model's files have changed",
    "adapter": "the adapter's files have changed",
}
PACKAGES = ("safeeraser", "torch", "transformers", "peft", "accelerate", "tokenizers")


def versions() -> dict[str, str]:
    """Installed versions of the packages that results depend on."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def git_commit() -> str | None:
    """The commit of the checkout this package runs from, with "+dirty" where tracked files differ; None outside one."""
    folder = Path(__file__).parent
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit + ("+dirty" if changed else "")


def made_with() -> dict[str, Any]:
    """What code a result was made with: `versions` of packages, and the commit as `git`."""
    return {"versions": versions(), "git": git_commit()}


def text_hash(text: str) -> str:
    """sha256 of a text, 16 hex digits."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def answer_hash(answer: str) -> str:
    """What tells a model's answer from another: the first 12 hex digits of its sha256."""
    return hashlib.sha256(answer.encode(errors="replace")).hexdigest()[:12]


def json_hash(value: Any) -> str:
    """sha256 of a JSON value, 16 hex digits."""
    return text_hash(json_text(value))


def file_hash(path: Path) -> str:
    """sha256 of a file, 16 hex digits; quick for a large one that was hashed before and has not changed."""
    return content_hash(path)[:16]


def file_hashes(paths: Iterable[Path | None]) -> list[str | None]:
    """The hash of each file, each read once; None for None."""
    listed = list(paths)
    found = {path: None if path is None else file_hash(path) for path in set(listed)}
    return [found[path] for path in listed]


def content_hash(path: Path) -> str:
    """sha256 in hex of what a file or a folder holds: equal for equal content, wherever it lies.

    A folder is its files below and their relative names, without hidden ones and READMEs, which nothing depends on.
    The hash of a large file is kept in the cache folder with the file's device, number, size and times.
    """
    if not path.is_dir():
        return _file_content(path)
    files = sorted((each.relative_to(path).as_posix(), each) for each in path.rglob("*") if each.is_file())
    lines = [f"{name}\0{_file_content(each)}\n" for name, each in files if not _idle(name)]
    return hashlib.sha256("".join(lines).encode(errors="surrogateescape")).hexdigest()


def folder_weights(name: str) -> str | None:
    """What tells the content of a model's folder from another; None where the name is not that of a folder."""
    return f"sha256 {content_hash(Path(name))[:16]}" if Path(name).is_dir() else None


def first_change(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> str | None:
    """What differs first between that which results depend on now and that which they were made with, in words.

    None where nothing does. Where weights are known by their content, names and places of models do not count.
    """
    idle = ("model", "revision") if ours.get("weights") and "weights" in theirs else ()
    for name in sorted(dict.fromkeys([*ours, *theirs]), key=lambda name: name not in _MEANING):
        if name in idle:
            continue
        here, there = ours.get(name), theirs.get(name)
        if isinstance(here, Mapping) and isinstance(there, Mapping):
            if inner := first_change(here, there):
                return inner
        elif here != there:
            if name not in theirs:
                return f"made by an older version, which did not note {name}"
            meaning = f" ({_MEANING[name]})" if name in _MEANING else ""
            return f"made with {name} = {there!r}, not {here!r}{meaning}"
    return None


def _idle(name: str) -> bool:
    *_, last = parts = name.split("/")
    return last in ("README.md", MADE_OF) or any(part.startswith(".") for part in parts)


def _file_content(path: Path) -> str:
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        (key, settled), large = file_state(status), status.st_size >= _REMEMBERED
        kept = _kept(cache_folder() / "hashes.txt") if large else {}
        if key in kept:
            return kept[key]
        found = hashlib.file_digest(file, "sha256").hexdigest()
        if large and settled:
            kept[key] = found
            with suppress(OSError):  # a cache that may only be read
                append_text(cache_folder() / "hashes.txt", f"{key} {found}\n")
        return found


@cache
def _kept(path: Path) -> dict[str, str]:
    """Hashes by what tells a file's state; a line that is not whole is passed over."""
    with suppress(OSError):
        lines = (line.rpartition(" ") for line in path.read_text(encoding="ascii", errors="replace").splitlines())
        return {key: found for key, _, found in lines if len(found) == 64}
    return {}


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

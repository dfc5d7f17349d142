"""A file of records that is filled item by item, and that a stopped run goes on with."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic

from safeeraser.errors import UserError
from safeeraser.files import remove_scratch, write_json
from safeeraser.records import Record, append_jsonl, read_jsonl, repair_jsonl, write_jsonl


class RecordFile(Generic[Record]):
    """One record for each item, known by its key. What the records depend on is kept beside them, in
    `<file>.meta.json`.
    """

    def __init__(self, path: Path, kind: type[Record], key: Callable[[Record], Hashable]) -> None:
        self.path: Path = path
        self.key: Callable[[Record], Hashable] = key
        self._kind: type[Record] = kind

    def open(self, meta: Mapping[str, Any]) -> set[Hashable]:
        """The keys of the records that are there already; a line that a kill cut short is taken out.

        Raises UserError where the file holds records that were made with another `meta`.
        """
        _claim(self.path, meta)
        repair_jsonl(self.path)
        return {self.key(record) for record in self._read()}

    def append(self, records: Iterable[Record]) -> None:
        """Add records; they are on the disk when this returns."""
        append_jsonl(self.path, records)

    def finish(self, keys: Sequence[Hashable]) -> None:
        """Put the records in the order of these keys, where each has its record and there are no others.

        A file is the same then, however often it was stopped and whatever was added to it first.
        """
        found: dict[Hashable, Record] = {self.key(record): record for record in self._read()}
        if list(found) != list(keys) and found.keys() == set(keys):
            write_jsonl(self.path, [found[key] for key in keys])

    def _read(self) -> list[Record]:
        return read_jsonl(self.path, self._kind) if self.path.exists() else []


def _claim(path: Path, meta: Mapping[str, Any]) -> None:
    sidecar = path.with_name(path.name + ".meta.json")
    remove_scratch(sidecar)
    if not path.exists() or path.stat().st_size == 0:  # nothing is lost, whatever a start before this one asked for
        write_json(sidecar, meta)
        return
    if not sidecar.exists():
        raise UserError(f"{path}: made with unknown settings ({sidecar.name} is missing)")
    found = _read_meta(sidecar)
    if meta["questions"] != found.get("questions"):
        raise UserError(f"{path}: made from other examples; choose another file")
    for name in [*meta, *found]:
        if meta.get(name) != found.get(name):
            raise UserError(
                f"{path}: made with {name} = {found.get(name)!r}, not {meta.get(name)!r}; choose another file"
            )


def _read_meta(sidecar: Path) -> dict[str, Any]:
    try:
        found = json.loads(sidecar.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{sidecar}: cannot be read ({error})") from error
    if not isinstance(found, dict):
        raise UserError(f"{sidecar}: not the settings of a file of records")
    return found

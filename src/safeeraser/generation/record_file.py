"""A file of records that is filled item by item, and that a stopped run goes on with."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic

from safeeraser.errors import UserError
from safeeraser.files import remove_scratch, write_json
from safeeraser.provenance import first_change
from safeeraser.records import Record, append_jsonl, read_jsonl, repair_jsonl, write_jsonl

logger = logging.getLogger(__name__)


class RecordFile(Generic[Record]):
    """One record for each item, known by its key. What the records depend on is kept beside them, in
    `<file>.meta.json`.
    """

    def __init__(self, path: Path, kind: type[Record], key: Callable[[Record], Hashable]) -> None:
        self.path: Path = path
        self.key: Callable[[Record], Hashable] = key
        self._kind: type[Record] = kind

    def open(self, meta: Mapping[str, Any]) -> set[Hashable]:
        """The keys of the records that are there already, for the file's owner.

        A line that a kill cut short is taken out; so is what two writers at once have left: of equal records all but
        one, and records of one key that differ altogether, for nobody knows which is right.
        Raises UserError where the file holds records that were made with another `meta`.
        """
        _claim(self.path, meta)
        repair_jsonl(self.path)
        records = self._read()
        unique = list(dict.fromkeys(records))
        times = Counter(self.key(record) for record in unique)
        kept = [record for record in unique if times[self.key(record)] == 1]
        if len(kept) < len(records):
            logger.warning("%s: %d records stood twice and are mended", self.path, len(records) - len(kept))
            write_jsonl(self.path, kept)
        return {self.key(record) for record in kept}

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
        raise UserError(
            f"{path}: made with unknown settings ({sidecar.name} is missing); choose another file, or remove it"
        )
    if change := first_change(meta, read_meta(path)):
        raise UserError(f"{path}: {change}; choose another file, or remove this one and all is made anew")


def read_meta(path: Path) -> dict[str, Any]:
    """What the records of a file depend on. Raises UserError where that cannot be read."""
    sidecar = path.with_name(path.name + ".meta.json")
    try:
        found = json.loads(sidecar.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{sidecar}: cannot be read ({error})") from error
    if not isinstance(found, dict):
        raise UserError(f"{sidecar}: not the settings of a file of records")
    return found

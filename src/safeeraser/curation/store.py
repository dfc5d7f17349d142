"""Keep the items of a stage on disk, each under a hash of all that it depends on."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safeeraser.errors import UserError
from safeeraser.files import append_text, to_json
from safeeraser.records import repair_jsonl


@dataclass(frozen=True, slots=True)
class Entry:
    """An item that was made (`failure` is None), or why it was not. `item` says what it is to a reader of the file."""

    key: str
    item: str
    value: Any = None
    failure: str | None = None


class Store:
    """A file of entries, to which whole lines are only ever added; of one key, the last that was made counts.

    Entries whose key nobody asks for any more stay: what was made with an earlier prompt is there again when the
    prompt is changed back. Raises UserError for a line that is not an entry.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._made: dict[str, Entry] = {}
        self._failures: Counter[str] = Counter()
        repair_jsonl(path)
        if path.exists():
            with path.open("rb") as file:
                for number, line in enumerate(file, start=1):
                    self._note(_parse(line, f"{path}:{number}"))

    def get(self, key: str) -> Entry | None:
        """The entry that was made under this key; None where there is none, or making it failed."""
        return self._made.get(key)

    def attempts(self, key: str) -> int:
        """How often making this item has failed."""
        return self._failures[key]

    def add(self, entries: Iterable[Entry]) -> None:
        """Add entries; they are on the disk when this returns."""
        new = list(entries)
        append_text(self._path, "".join(to_json(self._path, asdict(entry)) for entry in new))
        for entry in new:
            self._note(entry)

    def _note(self, entry: Entry) -> None:
        if entry.failure is None:
            self._made[entry.key] = entry
        else:
            self._failures[entry.key] += 1


def content_key(**parts: Any) -> str:
    """sha256 over named JSON values, 32 hex digits: equal for equal values, whatever their order."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def _parse(line: bytes, place: str) -> Entry:
    try:
        found = Entry(**json.loads(line))
        hash(found.key)
        return found
    except (ValueError, TypeError, RecursionError) as error:
        raise UserError(f"{place}: not an entry of this stage ({error}); delete the line or the file") from error

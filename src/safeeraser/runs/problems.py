"""Where settings were written: a line of a file, or an override."""

from __future__ import annotations

from dataclasses import dataclass

from safeeraser.settings import Key


@dataclass(slots=True)
class Places:
    """Where each key was written: a line of the file, or an override."""

    source: str
    written: dict[Key, str]

    def of(self, key: Key) -> str:
        """The place of the key, or of the nearest thing around it."""
        inner = next((key[:end] for end in range(len(key), 0, -1) if key[:end] in self.written), None)
        return self.source if inner is None else self.written[inner]

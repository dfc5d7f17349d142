"""Tables of names: what comes with the package, and what other packages add by entry points.

A plug-in that cannot be imported, or is not what it should be, is named in a message and harms nothing else.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar

from safeeraser.errors import UserError, explained, unknown

logger = logging.getLogger(__name__)
_Object = TypeVar("_Object")


class Table(Mapping[str, _Object]):
    """Objects of one kind by their names: `own`, and those of the entry points of `group`, imported when needed.

    `fits` says whether an object of another package is of this kind. A name of ours stays ours. Looking up a name
    raises UserError where there is no such name, or where a plug-in cannot be used; going through the table leaves
    such plug-ins out, with a warning.
    """

    def __init__(self, kind: str, group: str, own: Mapping[str, _Object], fits: Callable[[Any], bool]) -> None:
        self._kind = kind
        self._group = group
        self._own = own
        self._fits = fits

    @cached_property
    def _entries(self) -> dict[str, EntryPoint]:
        found = sorted(entry_points(group=self._group), key=lambda entry: entry.name)
        return {entry.name: entry for entry in found if entry.name not in self._own}

    @property
    def names(self) -> tuple[str, ...]:
        """Every name, ours first; nothing is imported for it."""
        return (*self._own, *self._entries)

    @cached_property
    def added(self) -> dict[str, _Object]:
        """What other packages add and can be used; of what cannot be used, a warning says why."""
        usable = {}
        for name, entry in self._entries.items():
            try:
                usable[name] = self._load(entry)
            except UserError as error:
                logger.warning("%s; it is left out", error)
        return usable

    def __getitem__(self, name: str) -> _Object:
        if name in self._own:
            return self._own[name]
        if name not in self._entries:
            raise UserError(unknown(self._kind, name, self.names))
        return self._load(self._entries[name])

    def __contains__(self, name: object) -> bool:
        return name in self._own or name in self._entries

    def __len__(self) -> int:
        return len(self._own) + len(self.added)

    def __iter__(self) -> Iterator[str]:
        yield from (*self._own, *self.added)

    def _load(self, entry: EntryPoint) -> _Object:
        package = entry.dist.name if entry.dist else "another package"
        place = f"the {self._kind} {entry.name!r} of {package} ({entry.value})"
        with explained(f"{place} cannot be loaded"):
            found: _Object = entry.load()
        if not self._fits(found):
            raise UserError(f"{place} is no {self._kind}: docs/plugins.md says what it has to be")
        return found

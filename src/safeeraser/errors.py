"""Errors a user can put right, and how an unknown name is reported. Standard library only."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from contextlib import AbstractContextManager
from types import TracebackType


class UserError(ValueError):
    """Something the user can put right: the message says what is wrong and where, and needs no traceback.

    Any other module may define its own subclass for its own kind of problem; a bare ValueError is a defect of this
    package and keeps its traceback.
    """


class DiskError(UserError):
    """Something could not be written: nothing is wrong with what was asked, and the same may go on later."""


_HALF_SAID = (AttributeError, ImportError, LookupError, NameError, TypeError)
"""Errors of Python's own whose kind says as much as their words: a KeyError says the key alone."""


class explained(AbstractContextManager[None]):
    """Whatever a library raises inside, as a `kind` that begins with `what`: a file's or an example's name.

    Libraries say in a hundred ways that a file is damaged or refused, and add new ones with each version, so there is
    no list of kinds. Put around calls of libraries only, for a defect of ours would lose its traceback too.
    """

    def __init__(self, what: object, kind: type[ValueError] = UserError) -> None:
        self._what = what
        self._kind = kind

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, UserError):
            raise self._kind(f"{self._what}: {error}") from error
        if isinstance(error, Exception) and not isinstance(error, MemoryError):
            said = " ".join(str(error).split())
            if " " not in said or isinstance(error, _HALF_SAID):
                said = f"{type(error).__name__} {said}".strip()
            raise self._kind(f"{self._what}: {said}") from error


_MANY = 40
"""Names that a message lists; a screenful says less than the near ones before it."""


def unknown(kind: str, name: object, known: Iterable[str], elsewhere: Iterable[str] = ()) -> str:
    """The message for a name that does not exist: the nearest ones if any are near, and what there are, 40 at most.

    `elsewhere` are dotted names of other places: one that ends in the name may be what was meant.
    """
    names, sought = list(known), str(name).replace("-", "_")
    ends = {each: each.rpartition(".")[2] for each in elsewhere}
    near = [*(each for each, end in ends.items() if end == sought), *_near(sought, names)][:3]
    if not near:
        alike = _near(sought, list(dict.fromkeys(ends.values())))
        near = [each for each, end in ends.items() if end in alike][:3]
    told = (f"{match!r} outside of this section" if match == name else repr(match) for match in near)
    hint = f"; did you mean {' or '.join(told)}?" if near else ""
    more = [f"and {len(names) - _MANY} more"] if len(names) > _MANY else []
    return f"unknown {kind} {str(name)!r}{hint} (there are: {', '.join([*names[:_MANY], *more])})"


def _near(name: str, names: list[str]) -> list[str]:
    """The three nearest: those of which it is the initials (lr), that are spelt like it, or that it is part of."""
    initials = [each for each in names if len(name) > 1 and name == "".join(word[:1] for word in each.split("_"))]
    alike = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    holding = [each for each in names if min(len(name), len(each)) > 3 and (name in each or each in name)]
    return list(dict.fromkeys([*initials, *alike, *holding]))[:3]

"""Errors a user can put right, and how an unknown name is reported. Standard library only."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """Something the user can put right: the message says what is wrong and where, and needs no traceback.

    Any other module may define its own subclass of ValueError for its own kind of problem; a bare ValueError
    is a defect of this package and keeps its traceback.
    """


def unknown(kind: str, name: object, known: Iterable[str]) -> str:
    """The message for a name that does not exist: the nearest ones if any are near, and all there are."""
    names = list(known)
    near = difflib.get_close_matches(str(name), names, n=3, cutoff=0.5)
    hint = f"; did you mean {' or '.join(repr(match) for match in near)}?" if near else ""
    return f"unknown {kind} {str(name)!r}{hint} (there are: {', '.join(names)})"

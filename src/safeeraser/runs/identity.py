"""In which of the settings that change a result two runs differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from safeeraser.settings import Key, dotted


def first_difference(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> tuple[str, Any, Any] | None:
    """The first key (dotted) in which two `results` differ, with both values; None if they agree."""
    here, there = dict(_leaves(ours)), dict(_leaves(theirs))
    for key in [*here, *there]:
        if here.get(key) != there.get(key):
            return key, here.get(key), there.get(key)
    return None


def _leaves(value: Any, key: Key = ()) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _leaves(inner, (*key, name))
    else:
        yield dotted(key), value

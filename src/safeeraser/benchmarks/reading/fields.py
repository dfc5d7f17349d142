"""Taking values out of a record: each of the right type, or a problem reported with its place."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from safeeraser.benchmarks.reading.problems import Spot
from safeeraser.text import quoted

Value = TypeVar("Value")

_NAMES: dict[type, str] = {
    str: "text",
    bool: "true or false",
    int: "a number",
    float: "a number",
    list: "a list",
    dict: "an object",
    type(None): "null",
}
_LONGEST_KEY = 40
_UNKNOWN_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one kind of object: `content` keys may be misspelt, `either` are two names for one thing."""

    content: tuple[str, ...]
    optional: tuple[str, ...] = ()
    pattern: re.Pattern[str] | None = None
    either: frozenset[str] = frozenset()

    def known(self, key: str) -> bool:
        """Whether objects of this kind may have the key."""
        return key in self.content or key in self.optional or bool(self.pattern and self.pattern.fullmatch(key))

    def missing(self, data: Mapping[str, Any]) -> list[str]:
        """The content keys that could still be in `data` under another spelling."""
        has_either = any(key in data for key in self.either)
        return [key for key in self.content if key not in data and not (has_either and key in self.either)]


def adopt(data: dict[str, Any], keys: Keys, spot: Spot) -> dict[str, Any]:
    """The object with each misspelt key under the key it stands for. Unknown keys are reported and kept."""
    unknown = [key for key in data if not keys.known(key)]
    renamed: dict[str, str] = {}
    for key in unknown[:_UNKNOWN_SHOWN]:
        meant = _nearest(key, keys.missing(data | dict.fromkeys(renamed.values())))
        if meant:
            spot.warn("key", f"unknown key {quoted(key)}, read as {meant!r}")
            renamed[key] = meant
        else:
            meant = _nearest(key, [name for name in keys.optional if name not in data])
            hint = f"; did you mean {meant!r}?" if meant else ""
            spot.note("key", f"unknown key {quoted(key)}, not read{hint}")
    return {renamed.get(key, key): value for key, value in data.items()}


def text(data: Mapping[str, Any], key: str, spot: Spot) -> str | None:
    """A text that must be there and not be empty; None where it is not, and that is reported."""
    if key not in data:
        spot.at(key).error("missing", "missing")
        return None
    return checked_text(data[key], spot.at(key))


def checked_text(value: Any, spot: Spot) -> str | None:
    """A text that must not be empty; None where it is, and that is reported."""
    found = typed(value, str, spot)
    if found is not None and not found.strip():
        spot.error("empty", "empty")
        return None
    return found


def answer(data: Mapping[str, Any], key: str, spot: Spot) -> str | None:
    """An answer: "" where it is empty, with a warning; None where it is missing or no text, and that is reported."""
    if key not in data:
        spot.at(key).error("missing", "missing")
        return None
    if data[key] is None or (isinstance(data[key], str) and not data[key].strip()):
        spot.at(key).warn("empty", "empty answer: the pair is read without it, or left out where it needs one")
        return ""
    return typed(data[key], str, spot.at(key))


def optional_text(data: Mapping[str, Any], key: str, spot: Spot) -> str | None:
    """A text that may be absent, null or empty: None then."""
    value = any_text(data, key, spot)
    return value if value and value.strip() else None


def any_text(data: Mapping[str, Any], key: str, spot: Spot) -> str | None:
    """A text that may be empty, as a model's answer may; None where it is absent or null."""
    return None if data.get(key) is None else typed(data[key], str, spot.at(key))


def identifier(value: Any) -> str | None:
    """What names a record: a text, or a whole number (of a data frame, 3.0); None for all else."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    named = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    return named if named.strip() else None


def record_id(data: Mapping[str, Any], key: str, spot: Spot) -> str | None:
    """What names a record; None where nothing does, and that is reported."""
    found = identifier(data.get(key))
    if found is None:
        spot.at(key).error("type", f"expected a number or text, found {_name(data.get(key))}")
    return found


def typed(value: Any, kind: type[Value], spot: Spot) -> Value | None:
    """The value if it is of a kind, else None, and that is reported."""
    if isinstance(value, kind):
        return value
    spot.error("type", f"expected {_NAMES[kind]}, found {_name(value)}")
    return None


def _name(value: Any) -> str:
    shown = "" if isinstance(value, list | dict) or value is None else f" {quoted(value)}"
    return f"{_NAMES.get(type(value), 'an object')}{shown}"


def _nearest(key: str, candidates: list[str]) -> str | None:
    if len(key) > _LONGEST_KEY:
        return None
    by_lower = {candidate.lower(): candidate for candidate in candidates}
    near = difflib.get_close_matches(key.lower(), by_lower, n=1, cutoff=0.8)
    return by_lower[near[0]] if near else None

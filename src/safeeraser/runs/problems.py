"""What is wrong with settings, and where: pydantic's findings in words that name the line and the key."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from safeeraser.errors import UserError, unknown

_OWN = ("unknown_name", "samples", "methods", "length", "together")  # messages of ours, which say what was found

_SHORT = reprlib.Repr()
_SHORT.maxlevel = 2
_SHORT.maxstring = 60


class ConfigError(UserError):
    """Settings that cannot be used; `problems` holds every one found, each with its place and key."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(problems))


Key = tuple[str, ...]
"""A key of a file or an override and those around it, outermost first."""


@dataclass(slots=True)
class Places:
    """Where each key was written: a line of the file, or an override."""

    source: str
    written: dict[Key, str]

    def of(self, key: Key) -> str:
        """The place of the key, or of the nearest thing around it."""
        inner = next((key[:end] for end in range(len(key), 0, -1) if key[:end] in self.written), None)
        return self.source if inner is None else self.written[inner]


def describe(kind: type[BaseModel], details: ErrorDetails, places: Places) -> str:
    """One of pydantic's findings about settings of this kind, in our words."""
    key = tuple(str(step) for step in details["loc"] if step != "[key]")
    if details["type"] == "extra_forbidden":
        around = f"{dotted(key[:-1])}: " if key[:-1] else ""
        return f"{places.of(key)}: {around}{unknown('key', key[-1], _keys_at(kind, key[:-1]))}"
    message = details["msg"].removeprefix("Input ").removeprefix("Value error, ")
    found = "" if details["type"] in _OWN else f", found {_SHORT.repr(details['input'])}"
    return ": ".join(filter(None, (places.of(key), dotted(key), f"{message}{found}")))  # no key: all of the settings


def _keys_at(kind: Any, key: Key) -> Iterable[str]:
    """The keys that settings of this kind have at this place."""
    for step in key:
        kind = kind.model_fields[step].annotation if hasattr(kind, "model_fields") else _inside(kind)
    return list(kind.model_fields)


def _inside(kind: Any) -> Any:
    """What a mapping or a tuple holds."""
    return get_args(kind)[1 if get_origin(kind) is dict else 0]


def dotted(key: Key) -> str:
    """The key as messages and overrides write it, such as `unlearn.epochs`."""
    return ".".join(map(str, key))

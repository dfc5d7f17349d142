"""JSON from strangers: bounded in size and depth, and every oddity reported with its place instead of guessed at."""

from __future__ import annotations

import codecs
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from safeeraser.benchmarks.reading.problems import Spot
from safeeraser.text import quoted

MAX_BYTES = 128 * 2**20
"""A file of the paper's benchmark with three long answers a question is about half of this."""

MAX_VALUES = 4_000_000
"""Commas and brackets in a file: bounds the memory that small values take when parsed."""

MAX_RECORDS = 200_000
"""Records in a file; the paper's benchmark has 2,400."""

MAX_DEPTH = 8
"""A record nests three deep."""

_MAX_DIGITS = 18

_Path = tuple[str | int, ...]
_Part = tuple[Any, Any, _Path]  # a container, a key or index in it, and the way there


@dataclass(frozen=True, slots=True)
class _Flaw:
    """Stands in for a value that cannot be used, until it is reported."""

    message: str


class _Repeated(dict[str, Any]):
    """An object of a file that names some keys more than once."""

    repeated: frozenset[str] = frozenset()


class _Reported:
    """The type of REPORTED."""

    def __repr__(self) -> str:
        return "REPORTED"


REPORTED = _Reported()
"""Stands for a value that could not be used and is reported already: whoever meets it stays silent."""


def read_records(data: bytes, spot: Spot) -> list[tuple[int, Any]]:
    """The values of a JSON list, numbered from 1, or of JSON lines, numbered by line.

    What cannot be read is reported at `spot`; the whole values before a break in a list, and the whole lines among
    broken ones, are returned all the same.
    """
    text = _decode(data, spot)
    if text is None:
        return []
    start = text.lstrip()
    if not start:
        spot.error("json", "empty")
        return []
    found = _list(text, spot) if start.startswith("[") else _lines(text, spot)
    if len(found) > MAX_RECORDS:
        spot.error("file", f"more than {MAX_RECORDS:,} records")
        return []
    return found


def read_value(data: bytes, spot: Spot) -> Any:
    """The one value of a JSON file; REPORTED where it cannot be read."""
    text = _decode(data, spot)
    if text is None:
        return REPORTED
    try:
        return clean(_DECODER.decode(text), spot)
    except (json.JSONDecodeError, RecursionError) as error:
        spot.error("json", _explain(error))
        return REPORTED


def clean(value: Any, spot: Spot) -> Any:
    """Report what JSON allows and we do not, anywhere in a value; REPORTED takes its place there."""
    holder = [value]
    pending: list[_Part] = [(holder, 0, ())]
    while pending:
        container, key, path = pending.pop()
        problem = _problem(container[key], len(path))
        if problem:
            spot.at(*path).error("json", problem)
            container[key] = REPORTED
        else:
            pending.extend(_inside(container[key], path, spot))
    return holder[0]


def _problem(value: Any, depth: int) -> str | None:
    if isinstance(value, str):
        return None if _encodable(value) else "text that is not valid Unicode (broken UTF-8, or half a surrogate pair)"
    if isinstance(value, _Flaw):
        return value.message
    if depth > MAX_DEPTH and isinstance(value, dict | list):
        return f"nested more than {MAX_DEPTH} deep"
    return None


def _inside(value: Any, path: _Path, spot: Spot) -> Iterator[_Part]:
    """The parts of an object or list, to be looked at next; keys that cannot be used are reported and removed."""
    if isinstance(value, list):
        yield from ((value, index, (*path, index)) for index in range(len(value)))
    elif isinstance(value, dict):
        for key in [key for key in value if not _encodable(key)]:
            spot.at(*path).error("json", f"a key that is not valid Unicode: {quoted(key)}")
            del value[key]
        for key in value.repeated & value.keys() if isinstance(value, _Repeated) else ():
            value[key] = _Flaw("the same key twice in one object")
        yield from ((value, key, (*path, key)) for key in value)


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _decode(data: bytes, spot: Spot) -> str | None:
    """Bytes that are not UTF-8 become lone surrogates, so that `clean` finds them in the record that holds them."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        spot.error("json", "UTF-16; save it as UTF-8")
        return None
    if data.startswith(codecs.BOM_UTF8):
        spot.warn("json", "starts with a byte order mark")
        data = data[len(codecs.BOM_UTF8) :]
    if sum(map(data.count, (b",", b"[", b"{"))) > MAX_VALUES:
        spot.error("file", f"more than {MAX_VALUES:,} values")
        return None
    return data.decode("utf-8", errors="surrogateescape")


def _list(text: str, spot: Spot) -> list[tuple[int, Any]]:
    try:
        values = _DECODER.decode(text)
    except (json.JSONDecodeError, RecursionError) as error:
        values = list(_whole(text))
        spot.error("json", f"{_explain(error)}; {len(values)} whole records before that")
    return list(enumerate(values, start=1))


def _whole(text: str) -> Iterator[Any]:
    """The values of a JSON list up to the first that is broken."""
    position = text.index("[") + 1
    while True:
        position = _skip(text, position, " \t\r\n,")
        try:
            value, position = _DECODER.raw_decode(text, position)
        except (json.JSONDecodeError, RecursionError):
            return
        position = _skip(text, position, " \t\r\n")
        if text[position : position + 1] not in (",", "]"):
            return
        yield value


def _skip(text: str, position: int, characters: str) -> int:
    while position < len(text) and text[position] in characters:
        position += 1
    return position


def _lines(text: str, spot: Spot) -> list[tuple[int, Any]]:
    found: list[tuple[int, Any]] = []
    broken: list[tuple[int, str]] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if len(found) > MAX_RECORDS:
            break  # refused by the caller
        if line.strip():
            try:
                found.append((number, _DECODER.decode(line)))
            except (json.JSONDecodeError, RecursionError) as error:
                broken.append((number, _explain(error)))
    if found:
        for number, message in broken:
            Spot(spot.collector, spot.file, f"#{number}").error("json", message)
    else:
        spot.error("json", f"neither a JSON list nor JSON lines: line {broken[0][0]} is {broken[0][1]}")
    return found


def _explain(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"not JSON ({error.msg} at line {error.lineno} column {error.colno})"
    return "nested too deeply"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    marked = _Repeated(found)
    marked.repeated = frozenset(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
    return marked


def _integer(digits: str) -> int | _Flaw:
    count = len(digits.lstrip("-"))
    return int(digits) if count <= _MAX_DIGITS else _Flaw(f"a number of {count} digits")


def _constant(name: str) -> _Flaw:
    return _Flaw(f"{name} is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_int=_integer, parse_constant=_constant)

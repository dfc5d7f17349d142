"""Text and JSON of other people's files: what cannot be read is reported with its place, what can be is returned."""

from __future__ import annotations

import codecs
import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from safeeraser.benchmarks.reading.problems import Spot
from safeeraser.files import LFS_POINTER
from safeeraser.text import quoted

MAX_BYTES = 128 * 2**20
"""Of a text file; one of the paper's benchmark with three long answers a question is about half of this."""

_BROKEN = (ValueError, RecursionError)
_GAP, _NEXT = re.compile(r"[\s,]*"), re.compile(r"\s*[,\]]")
_COMMA = re.compile(r"\}\s*,\s*\Z")  # behind a record, as in a list
_LINE_END = re.compile(r"\r\n?|\n")
_PAGE = re.compile(rb"\s*<(?:!doctype html|html)\b", re.IGNORECASE)
_MARKS = {  # that of UTF-32 begins with that of UTF-16
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
ZIP = b"PK\x03\x04"
_NOT_TEXT = {
    LFS_POINTER: "a Git LFS pointer, not the file itself; `git lfs pull` gets it",
    ZIP: "a zip archive or a workbook, under a wrong name",
    b"\xd0\xcf\x11\xe0": "an office file of before 2007, or one with a password; save it as CSV or .xlsx",
    b"\x1f\x8b": "compressed by gzip; unpack it",
    b"PAR1": "a Parquet file, under a wrong name",
}


def decoded(content: bytes, spot: Spot, *, nul: bool = False) -> str | None:
    """A file's text: UTF-8, UTF-16, UTF-32, or what Windows programs in Western Europe write, with a warning.

    None where it is none of these, or holds NUL and may not, and that is reported.
    """
    text = None if _is_no_text(content, spot) else _decoded(content, spot)
    if text is not None and "\0" in text and not nul:
        at = len(_LINE_END.findall(text, 0, text.index("\0"))) + 1
        spot.error("file", f"holds NUL characters (line {at}): damaged, or no text")
        return None
    return text


def _is_no_text(content: bytes, spot: Spot) -> bool:
    kind = next((said for start, said in _NOT_TEXT.items() if content.startswith(start)), None)
    kind = "a web page: something went wrong when it was fetched" if _PAGE.match(content) else kind
    if kind is not None:
        spot.error("file", kind)
    return kind is not None


def _decoded(content: bytes, spot: Spot) -> str | None:
    for mark, name in _MARKS.items():
        if content.startswith(mark):
            return _strictly(content[len(mark) :], name, spot)
    if b"\0" in content[:2]:
        return _strictly(content, "utf-16-be" if content[:1] == b"\0" else "utf-16-le", spot)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        spot.warn("file", f"not UTF-8 (line {line}), read as Windows-1252; save it as UTF-8 if letters look wrong")
        return _strictly(content, "cp1252", spot)


def _strictly(content: bytes, name: str, spot: Spot) -> str | None:
    try:
        return content.decode(name)
    except UnicodeDecodeError:
        spot.error("file", f"not UTF-8, and not {name} either; save it as UTF-8")
        return None


def read_records(content: bytes, spot: Spot) -> list[tuple[int, Any]]:
    """The values of a JSON list, numbered from 1, or of JSON lines, numbered by line.

    What cannot be read is reported at `spot`; the whole values before a break in a list, and the whole lines among
    broken ones, are returned all the same.
    """
    text = decoded(content, spot)
    if text is None:
        return []
    if not text.strip():
        spot.error("json", "empty")
        return []
    return _list(text, spot) if text.lstrip().startswith("[") else _lines(text, spot)


def read_value(content: bytes, spot: Spot) -> Any:
    """The one value of a JSON file; None where it cannot be read, and that is reported."""
    text = decoded(content, spot)
    try:
        return None if text is None else _loaded(text, spot)
    except _BROKEN as error:
        spot.error("json", _explain(error))
        return None


def _list(text: str, spot: Spot) -> list[tuple[int, Any]]:
    try:
        values = _loaded(text, spot)
    except _BROKEN as error:
        values = list(_whole(text))
        spot.error("json", f"{_explain(error)}; {len(values)} whole records before that")
    else:
        if not values:
            spot.warn("json", "an empty list")
    return list(enumerate(values, start=1))


def _loaded(text: str, spot: Spot) -> Any:
    """The value of a text; what stands twice in one object is reported, for the last alone is read."""

    def put_together(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
            spot.warn("key", f"{quoted(twice)} stands twice in one object; the last is read")
        return found

    return json.loads(text, object_pairs_hook=put_together)


def _whole(text: str) -> Iterator[Any]:
    """The values of a JSON list up to the first that is broken."""
    decoder, position = json.JSONDecoder(), text.index("[") + 1
    while True:
        gap = _GAP.match(text, position)
        position = gap.end() if gap else position
        try:
            value, position = decoder.raw_decode(text, position)
        except _BROKEN:
            return
        if not _NEXT.match(text, position):
            return
        yield value


def _lines(text: str, spot: Spot) -> list[tuple[int, Any]]:
    found: list[tuple[int, Any]] = []
    broken: list[tuple[int, str]] = []
    for number, line in enumerate(_LINE_END.split(text), start=1):
        if line.strip():
            try:
                place = spot._replace(record=f"#{number}", number=number)
                found.append((number, _loaded(_COMMA.sub("}", line), place)))
            except _BROKEN as error:
                broken.append((number, _explain(error)))
    if found:
        for number, message in broken:
            spot._replace(record=f"#{number}", number=number).error("json", message)
    else:
        spot.error("json", f"neither a JSON list nor JSON lines: line {broken[0][0]} is {broken[0][1]}")
    return found


def _explain(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"not JSON ({error.msg} at line {error.lineno} column {error.colno})"
    return "nested too deeply" if isinstance(error, RecursionError) else f"not JSON ({error})"

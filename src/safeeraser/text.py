"""Strangers' text made safe for a terminal, Markdown, HTML and JSON, and the one template environment.

A text may hold characters that do something else than be read: they move cursors or turn the direction.
"""

from __future__ import annotations

import codecs
import json
import re
import reprlib
import unicodedata
from pathlib import Path
from typing import Any

from jinja2 import BaseLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

_CATEGORIES = ("Cc", "Cf", "Cs", "Zl", "Zp")
_ORDINARY = frozenset("\t\n\r\u200c\u200d\u00ad")  # joiners and soft hyphens belong to ordinary text
_SPELT = {
    "→": "->",
    "←": "<-",
    "↓": "v",
    "↑": "^",
    "–": "-",
    "—": "-",
    "…": "...",
    "×": "x",
    "±": "+-",
    "Δ": "diff",
    "•": "*",
    "≥": ">=",
    "≤": "<=",
}
_HALVES = re.compile("[\ud800-\udfff]")
# Marks of Markdown where they mean something: within a word, or before a blank, some of them do not.
_MARKUP = re.compile(r"([\\`*\[\]<>|~$]|(?<![^\W_])_|_(?![^\W_])|[:@](?=\S)|&(?=[#\w])|#(?=\w)|^#)")


def hidden(text: str) -> list[str]:
    """Each control character, direction mark and the like that a text holds, once, in order of code points."""
    if text.isascii() and text.isprintable():
        return []
    return sorted(mark for mark in set(text) - _ORDINARY if unicodedata.category(mark) in _CATEGORIES)


def plain(text: str) -> str:
    """The text for a terminal or page, on as many lines as it has: a replacement character for each hidden one."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").expandtabs(4)
    return text.translate({ord(mark): "\N{REPLACEMENT CHARACTER}" for mark in hidden(text)})


def line(text: str, limit: int | None = None) -> str:
    r"""The text on one line: control and invisible characters are written out, and its end is cut.

    >>> line("a\x1b[31m\nb")
    'a\\x1b[31m\\nb'
    >>> line("abc", limit=2)
    'ab... (3 characters)'
    """
    shown = "".join(_written_out(mark) for mark in text[:limit])
    return shown if limit is None or len(text) <= limit else f"{shown}... ({len(text):,} characters)"


def markdown(value: object) -> str:
    r"""A value as Markdown on one line: marks, HTML and addresses lose their meaning. Not for code spans.

    >>> markdown("po+pd_2: _x_ <b>")
    'po+pd_2: \\_x\\_ \\<b\\>'
    """
    return _MARKUP.sub(r"\\\1", line(str(value), 400))


def json_text(value: Any, *, indent: int | None = None) -> str:
    r"""JSON that is always valid: control characters and direction marks escaped, all else readable; paths as texts.

    Raises ValueError for a number that JSON does not have (NaN, an infinity).

    >>> print(json_text({"é": "\x9b31m\u202e\u2028"}))
    {"é": "\u009b31m\u202e\u2028"}
    """
    text = whole_text(json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent, default=_path))
    return text.translate({ord(mark): json.dumps(mark)[1:-1] for mark in hidden(text)})


def quoted(value: object) -> str:
    """A value from a file as it may be shown: short, on one line, nothing in it that a terminal would obey."""
    return _SHORT.repr(value)


def whole_text(text: str) -> str:
    """The text with U+FFFD for each half of a surrogate pair: JSON may hold one, but no file and no model takes it."""
    return _HALVES.sub("\ufffd", text)


def templates(loader: BaseLoader | None = None, *, html: bool = False) -> ImmutableSandboxedEnvironment:
    """The environment of every template: nothing undefined is passed over, and in HTML every text is escaped.

    Filters: `plain`, `line`, `markdown`; `quoted`, a JSON string that nothing in the text ends; jinja's `tojson` for
    scripts.
    """
    environment = ImmutableSandboxedEnvironment(
        loader=loader, undefined=StrictUndefined, autoescape=html, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(plain=plain, line=line, markdown=markdown, quoted=json_text)
    return environment


def spelt_out(error: UnicodeError) -> tuple[str, int]:
    """The handler of encoding errors of that name: arrows and dashes become ASCII, all else a question mark."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_SPELT.get(mark, "?") for mark in error.object[error.start : error.end]), error.end


codecs.register_error("spelt_out", spelt_out)


def _written_out(mark: str) -> str:
    """Control, format (such as right-to-left marks), surrogate, private and unassigned characters as escapes."""
    acts = unicodedata.category(mark)[0] == "C" or mark in "\u2028\u2029"
    return mark.encode("unicode_escape").decode("ascii") if acts else mark


def _path(value: object) -> str:
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} is not for JSON")


class _Short(reprlib.Repr):
    def repr_str(self, x: str, level: int) -> str:  # noqa: ARG002 - the base class calls it with both
        return repr(x) if len(x) <= self.maxstring else repr(x[: self.maxstring - 3]) + "..."


_SHORT = _Short()
_SHORT.maxstring = 60
_SHORT.maxother = 60

"""Characters of a stranger's text that do something else than be read: they move cursors or turn the direction."""

from __future__ import annotations

import unicodedata

_CATEGORIES = ("Cc", "Cf", "Cs", "Zl", "Zp")
_ORDINARY = frozenset("\t\n\r\u200c\u200d\u00ad")  # joiners and soft hyphens belong to ordinary text


def hidden(text: str) -> list[str]:
    """Each control character, direction mark and the like that a text holds, once, in order of code points."""
    if text.isascii() and text.isprintable():
        return []
    return sorted(mark for mark in set(text) - _ORDINARY if unicodedata.category(mark) in _CATEGORIES)


def plain(text: str) -> str:
    """The text for a terminal or page: a replacement character for each hidden one, plain line breaks."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").expandtabs(4)
    return text.translate({ord(mark): "\N{REPLACEMENT CHARACTER}" for mark in hidden(text)})


def line(text: str) -> str:
    """The text on one line, with a replacement character for each that cannot be printed: for messages and names."""
    return "".join(mark if mark.isprintable() else "\N{REPLACEMENT CHARACTER}" for mark in " ".join(text.split()))

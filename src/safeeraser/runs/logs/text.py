"""JSON that other programs read and people look at: always valid, and nothing in it does anything to a terminal."""

from __future__ import annotations

import json
from typing import Any

from safeeraser.records import whole_text
from safeeraser.text import hidden


def dumps(value: Any, indent: int | None = None) -> str:
    r"""JSON with control characters and direction marks escaped and all else readable.

    Raises ValueError for a number that JSON has not (NaN, an infinity).

    >>> print(dumps({"é": "\x9b31m\u202e\u2028"}))
    {"é": "\u009b31m\u202e\u2028"}
    """
    text = whole_text(json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent))
    return text.translate({ord(mark): json.dumps(mark)[1:-1] for mark in hidden(text)})

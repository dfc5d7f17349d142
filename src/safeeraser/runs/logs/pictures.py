"""The picture of a question inside a log: small, as it is, or only named."""

from __future__ import annotations

import base64
from enum import StrEnum
from functools import lru_cache
from io import BytesIO
from pathlib import Path

from safeeraser.benchmarks.reading.images import decode_rgb, format_of, read_bytes

THUMBNAIL = 256
"""Pixels of a thumbnail's longer side: what is in the picture can be told, in about 10 kB."""


class Pictures(StrEnum):
    """How a log holds pictures: made small, as they are, or by their path alone, which no viewer can follow."""

    THUMBNAILS = "thumbnails"
    ORIGINALS = "originals"
    PATHS = "paths"


@lru_cache(maxsize=8)  # questions about the same picture follow each other
def data_uri(path: Path, kind: Pictures) -> str:
    """A picture's content as a data URI; `kind` is thumbnails or originals.

    Raises ImageError where it cannot or must not be decoded.
    """
    content = read_bytes(path)
    form = format_of(content).lower()
    if kind is Pictures.THUMBNAILS:
        content, form = _thumbnail(content), "jpeg"
    return f"data:image/{form};base64,{base64.b64encode(content).decode('ascii')}"


def _thumbnail(content: bytes) -> bytes:
    image = decode_rgb(content)
    image.thumbnail((THUMBNAIL, THUMBNAIL))
    made = BytesIO()
    image.save(made, "JPEG", quality=80)
    return made.getvalue()

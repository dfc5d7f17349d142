"""The picture of a question inside a log: small, as it is, or only named."""

from __future__ import annotations

import base64
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

from safeeraser import pixels

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
    if kind is Pictures.ORIGINALS:
        return pixels.data_url(path)
    image = pixels.open_rgb(path)
    image.thumbnail((THUMBNAIL, THUMBNAIL))
    content = pixels.encode(image, "JPEG", quality=80)
    return f"data:image/jpeg;base64,{base64.b64encode(content).decode('ascii')}"

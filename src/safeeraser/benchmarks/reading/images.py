"""Pictures from strangers: refused by their header before any pixel is decoded, and only by decoders we want to run."""

from __future__ import annotations

import struct
import warnings
import zlib
from io import BytesIO
from pathlib import Path

from PIL import Image, UnidentifiedImageError

MAX_BYTES = 64 * 2**20
MAX_PIXELS = 50_000_000
"""A decoded picture of this size takes 150 MB; 20,000 x 20,000 would take 1.2 GB."""

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
"""Pillow's other decoders are not asked: one of them (EPS) runs another program."""

# What Pillow's decoders raise on broken files, beyond the OSError and SyntaxError they document.
_BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    EOFError,
    MemoryError,
    RuntimeError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)


class ImageError(ValueError):
    """A picture that cannot or must not be decoded; the message says why."""


def open_rgb(path: Path) -> Image.Image:
    """A picture as RGB; of an animation, the first frame. Raises ImageError."""
    return decode_rgb(read_bytes(path))


def read_bytes(path: Path) -> bytes:
    """A picture's file, if it has 1 to MAX_BYTES bytes. Raises ImageError."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ImageError(f"cannot be read: {error.strerror}") from error
    if not 0 < len(content) <= MAX_BYTES:
        raise ImageError(f"more than {MAX_BYTES:,} bytes" if content else "empty file")
    return content


def decode_rgb(content: bytes) -> Image.Image:
    """A picture from a file's bytes, as `open_rgb` gives it. Raises ImageError."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of large and odd pictures; we refuse the large ones ourselves
        try:
            with Image.open(BytesIO(content), formats=FORMATS) as image:
                _refuse_large(image.size)
                return image.convert("RGB")
        except ImageError:
            raise
        except _BROKEN as error:
            raise ImageError(_reason(error)) from error


def format_of(content: bytes) -> str:
    """The format of a picture by its header, one of FORMATS; nothing is decoded. Raises ImageError."""
    try:
        with Image.open(BytesIO(content), formats=FORMATS) as image:
            return image.format or ""
    except _BROKEN as error:
        raise ImageError(_reason(error)) from error


def _refuse_large(size: tuple[int, int]) -> None:
    width, height = size
    if width * height > MAX_PIXELS:
        raise ImageError(f"{width:,} x {height:,} pixels; at most {MAX_PIXELS:,} pixels are decoded")


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return f"not a picture of a known format ({', '.join(FORMATS)})"
    if isinstance(error, Image.DecompressionBombError):
        return f"a decompression bomb, by its header; at most {MAX_PIXELS:,} pixels are decoded"
    return f"does not decode: {str(error)[:120] or type(error).__name__}"

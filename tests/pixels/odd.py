"""Odd pictures, and plain ones that a viewer shows the same way; and PNG files made by hand."""

import struct
import zlib
from io import BytesIO

import numpy as np
from PIL import Image, ImageDraw

SIZE = (60, 40)


def _drawing() -> Image.Image:
    """A dark shape on white, not symmetric."""
    image = Image.new("RGB", SIZE, "white")
    ImageDraw.Draw(image).rectangle((4, 4, 30, 20), fill=(40, 40, 40))
    return image


def _saved(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def _turned(orientation: int, back: Image.Transpose, form: str) -> bytes:
    """The drawing as a camera saves it that notes how it was held; `back` undoes what a viewer does."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return _saved(_drawing().transpose(back), form, exif=exif, quality=100, lossless=True)


_ORIENTATIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def _clear(mode: str) -> Image.Image:
    """The drawing with its white left out."""
    image = _drawing().convert("RGBA")
    ink = np.asarray(image).copy()
    ink[(ink[..., :3] == 255).all(-1)] = 0
    return Image.fromarray(ink).convert(mode)


def _palette() -> bytes:
    image = Image.new("P", SIZE, 0)
    image.putpalette([0, 0, 0, 40, 40, 40])
    ImageDraw.Draw(image).rectangle((4, 4, 30, 20), fill=1)
    return _saved(image, transparency=0)


def _grey16() -> bytes:
    grey = np.asarray(_drawing().convert("L")).astype(np.uint16) * 257
    return _saved(Image.fromarray(grey))


_WHITE = _saved(_drawing())
ODD = {
    **{f"EXIF orientation {number}": _turned(number, back, "JPEG") for number, back in _ORIENTATIONS.items()},
    "EXIF orientation 6 in PNG": _turned(6, _ORIENTATIONS[6], "PNG"),
    "EXIF orientation 7 in WebP": _turned(7, _ORIENTATIONS[7], "WEBP"),
    "CMYK": _saved(_drawing().convert("CMYK"), "JPEG", quality=100),
    "16-bit grey": _grey16(),
    "RGBA": _saved(_clear("RGBA")),
    "grey with alpha": _saved(_clear("LA")),
    "palette with transparency": _palette(),
    "animation": _saved(_drawing(), "GIF", save_all=True, append_images=[Image.new("RGB", SIZE, "blue")]),
    "animation as WebP": _saved(
        _drawing(), "WEBP", save_all=True, append_images=[Image.new("RGB", SIZE, "blue")], lossless=True
    ),
    "animation as PNG": _saved(_drawing(), "PNG", save_all=True, append_images=[Image.new("RGB", SIZE, "blue")]),
}
PLAIN = {
    **dict.fromkeys(ODD, _WHITE),
    **{f"EXIF orientation {number}": _saved(_drawing(), "JPEG", quality=100) for number in _ORIENTATIONS},
    "CMYK": _saved(_drawing(), "JPEG", quality=100),
}


def png(width: int, height: int, before_pixels: bytes = b"") -> bytes:
    """A PNG file whose header claims a size, with pixels for its first row only."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(bytes(1 + 3 * min(width, 1000))))
    return b"\x89PNG\r\n\x1a\n" + header + before_pixels + pixels + chunk(b"IEND", b"")


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

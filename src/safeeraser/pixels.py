"""The one way to open a picture: refused by its header before any pixel is decoded, then shown as a viewer shows it.

Every path uses it: training, generation, servers, judges, checks, curation, logs and reports.
"""

from __future__ import annotations

import base64
import os
import struct
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from safeeraser.errors import UserError
from safeeraser.files import LFS_POINTER, append_text, cache_folder, file_state
from safeeraser.progress import ProgressBar

MAX_BYTES = 64 * 2**20
MAX_PIXELS = 50_000_000
"""A decoded picture of this size takes 150 MB; 20,000 x 20,000 would take 1.2 GB."""

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
"""Pillow's other decoders are not asked: one of them (EPS) runs another program."""

Found = TypeVar("Found")

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
_SENT_AS_IT_IS = {"JPEG": "image/jpeg", "PNG": "image/png"}
_ORIENTATION = 0x0112  # the EXIF tag
_SHOWN = 20


class ImageError(UserError):
    """A picture that cannot or must not be decoded. The message names it; `reason` is the message without the name."""

    def __init__(self, reason: str, path: Path | None = None) -> None:
        self.reason = reason
        super().__init__(reason if path is None else f"{path}: {reason}")


def open_rgb(path: Path) -> Image.Image:
    """A picture as RGB, as a viewer shows it (see `decode_rgb`). Raises ImageError, which names it."""
    try:
        return decode_rgb(read_bytes(path))
    except ImageError as error:
        raise ImageError(error.reason, path) from error


def read_bytes(path: Path) -> bytes:
    """A picture's file, if it has 1 to MAX_BYTES bytes. Raises ImageError, which names it."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # a name with NUL in it is a ValueError
        raise ImageError(f"cannot be read: {getattr(error, 'strerror', None) or error}", path) from error
    if not 0 < len(content) <= MAX_BYTES:
        raise ImageError(f"more than {MAX_BYTES:,} bytes" if content else "empty file", path)
    return content


def decode_rgb(content: bytes) -> Image.Image:
    """A picture from a file's bytes, as RGB of 8 bits; of an animation, the first frame. Raises ImageError.

    Turned as its EXIF orientation says, 16-bit grey scaled to 8 bits, what is transparent laid on white.
    """
    return _decode(content)[0]


def format_of(content: bytes) -> str:
    """The format of a picture by its header, one of FORMATS; nothing is decoded. Raises ImageError."""
    try:
        with Image.open(BytesIO(content), formats=FORMATS) as image:
            return "JPEG" if image.format == "MPO" else image.format or ""  # MPO: a JPEG with more pictures behind it
    except _BROKEN as error:
        raise ImageError(_reason(error, content)) from error


def data_url(path: Path) -> str:
    """A picture for a server: its own bytes where every server shows them as `open_rgb` does, else a PNG of that.

    Raises ImageError, which names it.
    """
    content = read_bytes(path)
    try:
        image, plain = _decode(content)
        kind = _SENT_AS_IT_IS.get(format_of(content)) if plain else None
    except ImageError as error:
        raise ImageError(error.reason, path) from error
    if kind is None:
        kind, content = "image/png", encode(image, "PNG")
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def thumbnail(path: Path, side: int) -> str | None:
    """A small picture as a data URI, `side` pixels at most; None where the picture does not decode."""
    try:
        picture = open_rgb(path)
    except ImageError:
        return None
    picture.thumbnail((side, side))
    return f"data:image/webp;base64,{base64.b64encode(encode(picture, 'WEBP', quality=60)).decode('ascii')}"


def encode(image: Image.Image, form: str, **options: int) -> bytes:
    """A picture as a file's bytes."""
    made = BytesIO()
    image.save(made, form, **options)
    return made.getvalue()


def check(paths: Iterable[Path]) -> None:
    """Decode every picture, so that a bad one is found before the work begins, on all cores, with a progress bar.

    Pictures that were found good before are known by their size and times, and are passed over. Raises
    ImageError with all that cannot be opened (the first 20 by name).
    """
    known = cache_folder() / "pictures" / "checked-2.txt"
    seen: set[str] = set()
    with suppress(OSError):  # not there yet, or not ours to read
        seen.update(known.read_text(encoding="ascii", errors="replace").splitlines())
    states = {path: _state(path) for path in dict.fromkeys(paths)}
    todo = [path for path, (state, _) in states.items() if state not in seen]
    if not todo:
        return
    reasons: list[str] = []
    good: list[str] = []
    with ProgressBar("check pictures", len(todo)) as bar:
        for path, reason in zip(todo, on_all_cores(_fault, todo), strict=True):
            state, settled = states[path]
            if reason is not None:
                reasons.append(f"{path}: {reason}")
            elif settled:
                good.append(f"{state}\n")
            bar.advance()
    with suppress(OSError):  # a cache that may only be read
        append_text(known, "".join(good))
    if reasons:
        more = [f"... and {len(reasons) - _SHOWN} more pictures"] if len(reasons) > _SHOWN else []
        raise ImageError("\n".join([*reasons[:_SHOWN], *more]))


def on_all_cores(
    function: Callable[[Path], Found], paths: Sequence[Path], workers: int | None = None
) -> Iterator[Found]:
    """What a function makes of each picture, in order, in threads: Pillow decodes without holding Python's lock."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    pool = ThreadPoolExecutor(workers or cores)
    try:
        yield from pool.map(function, paths)
    finally:
        pool.shutdown(cancel_futures=True)


def _fault(path: Path) -> str | None:
    try:
        open_rgb(path)
    except ImageError as error:
        return error.reason
    return None


def _state(path: Path) -> tuple[str, bool]:
    """What tells a file from itself after a change; a missing one is never known."""
    try:
        return file_state(path.stat())
    except (OSError, ValueError):
        return "", False


def _decode(content: bytes) -> tuple[Image.Image, bool]:
    """The picture as RGB, and whether its pixels are those of the file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of large and odd pictures; we refuse the large ones ourselves
        try:
            with Image.open(BytesIO(content), formats=FORMATS) as image:
                width, height = image.size
                if width * height > MAX_PIXELS:
                    raise ImageError(f"{width:,} x {height:,} pixels; at most {MAX_PIXELS:,} pixels are decoded")
                image.load()
                plain = image.mode in ("RGB", "L") and not image.has_transparency_data
                turned = _turned(image)
                return _opaque(turned), plain and turned is image
        except ImageError:
            raise
        except _BROKEN as error:
            raise ImageError(_reason(error, content)) from error


def _turned(image: Image.Image) -> Image.Image:
    """The picture as its EXIF orientation says; as it lies where the EXIF data are broken."""
    try:
        upright = image.getexif().get(_ORIENTATION, 1) == 1
        return image if upright else ImageOps.exif_transpose(image)
    except _BROKEN:
        return image


def _opaque(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits a pixel
        values = np.asarray(image).astype(np.int64)
        grey = (values.clip(0, 65_535) * 255 + 32_767) // 65_535
        grey[values == image.info.get("transparency", -1)] = 255
        return Image.fromarray(grey.astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        ground = Image.new("RGBA", image.size, "white")
        ground.alpha_composite(image.convert("RGBA"))
        return ground.convert("RGB")
    return image.convert("RGB")


def _reason(error: Exception, content: bytes) -> str:
    if content.startswith(LFS_POINTER):
        return "a Git LFS pointer, not the picture; `git lfs pull` gets it"
    if isinstance(error, UnidentifiedImageError):
        return f"not a picture of a known format ({', '.join(FORMATS)})"
    if isinstance(error, Image.DecompressionBombError):
        return f"a decompression bomb, by its header; at most {MAX_PIXELS:,} pixels are decoded"
    return f"does not decode: {str(error)[:120] or type(error).__name__}"

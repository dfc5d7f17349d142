"""Pictures in the terminal: by the protocols of kitty and iTerm2 where it speaks one, else as coloured half blocks."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator, Mapping
from io import BytesIO

from PIL import Image
from rich.color import Color
from rich.console import Console
from rich.style import Style
from rich.text import Text

WIDTH = 32
"""Columns a picture takes in the terminal; of half blocks each is a pixel wide and two high."""

_LONGEST = 384  # pixels of a side that are sent: iTerm2 takes a mebibyte, which noise of this size stays below
_CHUNK = 4096  # characters of base64 in one of kitty's escape codes
_KITTY = ("xterm-kitty", "xterm-ghostty")
_ITERM = ("iTerm.app", "WezTerm")


def show_picture(image: Image.Image, console: Console, environment: Mapping[str, str] = os.environ) -> bool:
    """Show an RGB picture as well as the terminal can, and return whether it can.

    `environment` tells which terminal it is. Inside tmux and screen, which pass no pictures on, it is half blocks.
    """
    if not console.is_terminal:
        return False
    term, program = environment.get("TERM", ""), environment.get("TERM_PROGRAM", "")
    if "TMUX" in environment or term.startswith(("tmux", "screen")):
        term = program = ""
    if term in _KITTY:
        console.file.write("".join(_kitty(image)) + "\n")
    elif program in _ITERM or (term and environment.get("LC_TERMINAL") == "iTerm2"):  # the second is passed on by ssh
        console.file.write(_iterm(image) + "\n")
    elif has_half_blocks(console):
        console.print(half_blocks(image))
    else:
        return False
    return True


def has_half_blocks(console: Console) -> bool:
    """Whether a console has the colours and characters that a picture of half blocks takes."""
    blocks = (console.encoding or "").lower().replace("-", "") in ("utf8", "utf16", "utf32")
    return console.is_terminal and console.color_system in ("256", "truecolor") and blocks


def half_blocks(image: Image.Image, width: int = WIDTH) -> Text:
    """A picture as text, `width` columns wide: the colour of an upper half block is one pixel, its ground the next."""
    height = max(1, round(image.height * width / image.width / 2))
    small = image.resize((width, 2 * min(height, width)))
    pixels = list(small.tobytes())
    colours = [Color.from_rgb(*pixels[start : start + 3]) for start in range(0, len(pixels), 3)]
    text = Text()
    for row in range(0, small.height, 2):
        for column in range(width):
            upper, lower = (colours[(row + half) * width + column] for half in (0, 1))
            text.append("▀", Style(color=upper, bgcolor=lower))
        text.append("\n")
    return text


def _kitty(image: Image.Image) -> Iterator[str]:
    """Escape codes of kitty's graphics protocol: a PNG in chunks, shown at once; q=2 keeps the terminal from answering.

    An answer would be read as what the user types. https://sw.kovidgoyal.net/kitty/graphics-protocol/
    """
    content = _png(image)
    for start in range(0, len(content), _CHUNK):
        first = f"a=T,f=100,c={_columns(image)}," if start == 0 else ""
        more = int(start + _CHUNK < len(content))
        yield f"\x1b_G{first}q=2,m={more};{content[start : start + _CHUNK]}\x1b\\"


def _iterm(image: Image.Image) -> str:
    """The escape code of iTerm2's inline images. https://iterm2.com/documentation-images.html"""
    content = _png(image)
    size = len(base64.b64decode(content))
    return f"\x1b]1337;File=inline=1;size={size};width={_columns(image)};preserveAspectRatio=1:{content}\x07"


def _columns(image: Image.Image) -> int:
    """Fewer for a tall picture, so that it stays on the screen."""
    return max(1, round(WIDTH * min(1.0, image.width / image.height)))


def _png(image: Image.Image) -> str:
    """The picture made small, as base64."""
    small = image.copy()
    small.thumbnail((_LONGEST, _LONGEST))
    content = BytesIO()
    small.save(content, "PNG")
    return base64.b64encode(content.getvalue()).decode()

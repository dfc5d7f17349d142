"""Markdown that shows text as it is, whatever the text holds."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from safeeraser.text import line, markdown


def code(text: str, limit: int = 400) -> str:
    """Text as a code span that also stands in a table cell; nothing in it is read as Markdown or HTML."""
    shown = line(text, limit).replace("|", "\\|")
    if not shown.strip():
        return "*(empty)*"
    fence = "`" * (max((len(run) for run in re.findall("`+", shown)), default=0) + 1)
    padding = " " if shown[0] in "` " or shown[-1] in "` " else ""
    return f"{fence}{padding}{shown}{padding}{fence}"


def table(header: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """A table; cells are Markdown already. The first column is left, the others right."""
    lines = [header, [":---", *["---:"] * (len(header) - 1)], *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def picture(image: Path | None, folder: Path) -> str:
    """A picture that lies in the folder as an image with a relative address, another one as its path."""
    if image is None:
        return "no picture"
    inside, base = image.resolve(), folder.resolve()
    if not inside.is_relative_to(base):
        return code(str(image))
    address = quote(inside.relative_to(base).as_posix())
    return f"![{markdown(image.name)}]({address})"


def json_block(data: Any) -> str:
    """Data as a fenced block of JSON."""
    return f"```json\n{json.dumps(data, indent=1, default=str)}\n```"

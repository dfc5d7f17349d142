"""Answers to label as a table, or as a page that any browser opens; both are read back by `labels.read_labels`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safeeraser import html
from safeeraser.errors import UserError
from safeeraser.files import require_new, write_text
from safeeraser.judges.agreement.sample import Drawn
from safeeraser.judges.agreement.tables import write_table
from safeeraser.judges.base import AXES
from safeeraser.pixels import thumbnail
from safeeraser.provenance import text_hash

SIDE = 256
"""Longest side of a picture on the page, in pixels."""


def write_sheet(path: Path, drawn: Sequence[Drawn]) -> None:
    """Write answers to label. What the judge said of them is not in it.

    `.csv` is a table with an empty column for each axis; `.html` is a page that saves the labels as JSON lines.
    Raises UserError for another ending, and for a file that is there, for it may hold somebody's labels.
    """
    require_new(path, "it may hold labels, so choose another file")
    rows = [_row(each) for each in drawn]
    axes = [AXES[each.answered.example.stream] for each in drawn]
    if path.suffix == ".csv":
        write_table(path, rows, axes)
    elif path.suffix == ".html":
        asked = [row | {"axes": sorted(wanted)} for row, wanted in zip(rows, axes, strict=True)]
        write_text(path, _page(path.stem, asked))
    else:
        raise UserError(f"{path}: answers to label are a table (.csv) or a page (.html)")


def _row(drawn: Drawn) -> dict[str, Any]:
    example, generation = drawn.answered.example, drawn.answered.generation
    return {
        "id": example.id,
        "sample": generation.sample,
        "model": drawn.answered.model,
        "stratum": drawn.answered.stratum,
        "stratum_size": drawn.stratum_size,
        "split": example.split,
        "stream": example.stream,
        "category": example.category,
        "keyword": example.keyword,
        "kind": example.kind,
        "image": example.image and str(example.image.resolve()),
        "question": example.question,
        "reference": example.answer,
        "said": generation.answer,
    }


def _page(name: str, rows: Sequence[dict[str, Any]]) -> str:
    """The page to label in; its labels are kept in the browser under a key that no other answers have."""
    places: dict[str, int] = {}
    shown = [row | {"picture": places.setdefault(row["image"], len(places)) if row["image"] else -1} for row in rows]
    return html.page(
        "safeeraser.judges.agreement",
        "static/labels.html.jinja",
        title=name,
        data={
            "name": name,
            "key": f"labels.{name}.{text_hash(json.dumps(rows, default=str))}",
            "rows": shown,
            "pictures": [thumbnail(Path(path), SIDE) for path in places],
        },
        modules=["static/labels.js"],
        styles=["static/labels.css"],
    )

"""Tables (.csv) of answers to label: what a spreadsheet shows of them is text, never a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from safeeraser.errors import UserError
from safeeraser.files import write_text
from safeeraser.records import Axis

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_LONGEST_CELL = 2**26
_NOT_ASKED = "-"  # in the column of an axis that is not judged on the stream


def write_table(path: Path, rows: Iterable[Mapping[str, Any]], axes: Iterable[frozenset[Axis]]) -> None:
    """Write a row an answer, with an empty cell for each axis to label. A row's axes are the ones in `axes`."""
    text = io.StringIO()
    writer = csv.writer(text)
    for number, (row, wanted) in enumerate(zip(rows, axes, strict=True)):
        if number == 0:
            writer.writerow([*row, *Axis])
        labels = ["" if axis in wanted else _NOT_ASKED for axis in Axis]
        writer.writerow([*map(_as_text, row.values()), *labels])
    write_text(path, text.getvalue())


def read_table(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each row with the number of its last line; `labels` holds the axes that were filled in, as they were.

    Raises UserError for a table without the columns of any axis.
    """
    csv.field_size_limit(_LONGEST_CELL)
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        if not set(reader.fieldnames or ()) & set(Axis):
            raise UserError(f"{path}: no columns of labels ({', '.join(Axis)})")
        for row in reader:
            cells = {axis.value: (row.pop(axis.value, None) or "").strip() for axis in Axis}
            labels = {axis: _label(cell) for axis, cell in cells.items() if cell not in ("", _NOT_ASKED)}
            yield (
                reader.line_num,
                {name: (cell or "").removeprefix("'") for name, cell in row.items() if name} | {"labels": labels},
            )


def _label(cell: str) -> int | str:
    return int(cell) if cell in ("0", "1") else cell


def _as_text(value: Any) -> str:
    """A quote before what a spreadsheet would take for a formula, and before quotes, so that it can be told apart."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith((*_FORMULA, "'")) else text

"""Tables of answers to label: what a spreadsheet shows of them is text, never a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from safeeraser.benchmarks.reading.reading import Reading
from safeeraser.benchmarks.reading.tables import file_entries
from safeeraser.files import write_text
from safeeraser.records import Axis

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NEEDED = ("stream", "question", "reference", "said")
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


def read_table(reading: Reading, name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each row with its number in a spreadsheet; `labels` holds the axes that were filled in, as they were.

    What is wrong with the table, such as no columns of any axis, is reported in `reading`.
    """
    for number, row, spot in file_entries(reading, name, _NEEDED, nul=True):
        if number == 1 and not row.keys() & set(Axis):
            spot.error("missing", f"no columns of labels ({', '.join(Axis)})")
        cells = {axis.value: (row.pop(axis.value, None) or "").strip() for axis in Axis}
        labels = {axis: _label(cell) for axis, cell in cells.items() if cell not in ("", _NOT_ASKED)}
        yield number + 1, {key: (cell or "").removeprefix("'") for key, cell in row.items() if key} | {"labels": labels}


def _label(cell: str) -> float | str:
    """A number as spreadsheets and data frames write it: 1, 1.0 or 1,0."""
    try:
        return float(cell.replace(",", "."))
    except ValueError:
        return cell


def _as_text(value: Any) -> str:
    """A quote before what a spreadsheet would take for a formula, and before quotes, so that it can be told apart."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith((*_FORMULA, "'")) else text

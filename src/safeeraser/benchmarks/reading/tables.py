"""Records of other people's files, JSON, spreadsheets and Parquet, each with its place; the unreadable is reported."""

from __future__ import annotations

import csv
import re
import zipfile
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from io import BytesIO, StringIO
from itertools import product
from typing import Any, NamedTuple

from safeeraser.benchmarks.reading.fields import typed
from safeeraser.benchmarks.reading.folder import PathError
from safeeraser.benchmarks.reading.json import MAX_BYTES, ZIP, decoded, read_records, read_value
from safeeraser.benchmarks.reading.problems import Spot
from safeeraser.benchmarks.reading.reading import Reading
from safeeraser.errors import explained
from safeeraser.text import hidden, line, quoted

_PARQUET_BYTES = 16 * 2**30
_CHUNK_BYTES = 4 * 2**30  # a column of a row group, unpacked: pictures are among the columns
_TEXT_BYTES = 2**30  # of all that is not a picture, unpacked
_BATCH_BYTES = 256 * 2**20  # rows that are unpacked at once; one row may have more
_SHEET_BYTES = 256 * 2**20  # unpacked; a workbook is a zip archive
_SHEET_COLUMNS = 500  # further to the right nothing is read
_DIALECTS = tuple(product(",;\t|", (False, True)))  # what separates, and whether a blank behind it is left out
_SEPARATOR_LINE = re.compile(r'\A"?sep=."?[ \t]*(?:\r\n?|\n)', re.IGNORECASE)  # that Excel writes
_UNCOMPUTED = re.compile(  # a formula without a value, as programs write it that do not compute
    rb'<c\b(?![^>]*\bt="str")[^>]*>\s*<f\b(?:[^>]*/>|[^>]*>[^<]*</f>)\s*(?:<v\s*/>|<v></v>)?\s*</c>'
)
_FAILED = ("#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A")  # formulas

TABLES = (".csv", ".tsv", ".xlsx")
"""The endings of tables, as published, or as a spreadsheet program saves them."""


class Entry(NamedTuple):
    """One record: its number in the file from 1, its values, and its place."""

    number: int
    data: dict[str, Any]
    spot: Spot


def json_entries(reading: Reading, name: str) -> Iterator[Entry]:
    """The objects of a JSON list, or of JSON lines."""
    content = reading.content(name)
    for number, value in read_records(content, reading.spot(name)) if content is not None else ():
        spot = reading.spot(name, number)
        data = typed(value, dict, spot)
        if data is not None:
            yield Entry(number, data, spot)


def json_members(reading: Reading, name: str) -> Iterator[tuple[str, Entry]]:
    """The objects of one JSON object, each with its key; a record is named by its place and key."""
    content = reading.content(name)
    value = read_value(content, reading.spot(name)) if content is not None else None
    found = typed(value, dict, reading.spot(name)) if value is not None else None
    for number, (key, member) in enumerate((found or {}).items(), start=1):
        spot = reading.spot(name, number, quoted(key)[1:-1])
        data = typed(member, dict, spot)
        if data is not None:
            yield key, Entry(number, data, spot)


def table_name(reading: Reading, stem: str) -> str | None:
    """The file of a table, whichever ending it has."""
    return next((f"{stem}{suffix}" for suffix in TABLES if reading.has(f"{stem}{suffix}")), None)


def table_entries(reading: Reading, stem: str, columns: Sequence[str]) -> Iterator[Entry]:
    """The rows of `<stem>.csv`, .tsv or .xlsx (see `file_entries`)."""
    name = table_name(reading, stem)
    if name is None:
        reading.spot(f"{stem}.csv").error("file", "no such file")
    else:
        yield from file_entries(reading, name, columns)


def file_entries(reading: Reading, name: str, columns: Sequence[str], *, nul: bool = False) -> Iterator[Entry]:
    """The rows of a table, which has a header line with the columns; rows without a value are left out, and so is the
    header where it stands again.

    What the file is, its content says. Text may be in any encoding that `decoded` reads, separated by commas,
    semicolons, tabs or bars; of a workbook the sheet with the columns is read. `nul`: its texts may hold NUL.
    """
    spot = reading.spot(name)
    found = _rows(reading, name, columns, spot, nul=nul)
    if found is None:
        return
    rows = iter(found)
    written = next(filter(_has_values, rows), ())
    header = [_label(value) for value in written]
    if not _has_columns(header, columns, spot):
        return
    for number, row in enumerate(rows, start=1):
        place = reading.spot(name, number)
        if _has_values(row[len(header) :]):
            place.error("type", "more values than the header has columns")
        elif row == written:
            place.warn("file", "the header again: passed over")
        elif _has_values(row):
            data = dict(zip(header, row, strict=False))
            for column in columns:
                if data.get(column) in _FAILED:
                    place.at(column).error("type", f"{data[column]}: a formula that failed")
            yield Entry(number, data, place)


def _label(value: Any) -> str:
    """A column's name, without marks that nobody sees."""
    text = str(value or "")
    return text.translate(dict.fromkeys(map(ord, hidden(text)))).strip()


def _has_values(row: Iterable[Any]) -> bool:
    return any(value is not None and str(value).strip() for value in row)


def _rows(
    reading: Reading, name: str, columns: Sequence[str], spot: Spot, *, nul: bool
) -> Iterable[Sequence[Any]] | None:
    """None where the file cannot be read, and that is reported."""
    content = reading.content(name)
    if content is None:
        return None
    if content.startswith(ZIP):
        return _workbook(content, columns, spot)
    text = decoded(content, spot, nul=nul)
    return None if text is None else _csv(text, columns, spot)


def _csv(text: str, columns: Sequence[str], spot: Spot) -> Iterator[list[str]]:
    text = _SEPARATOR_LINE.sub("", text, count=1)
    csv.field_size_limit(MAX_BYTES)
    separator, skip = _dialect(text, columns)
    rows = csv.reader(StringIO(text, newline=""), delimiter=separator, skipinitialspace=skip, strict=True)
    try:
        yield from rows
    except csv.Error as error:
        spot.error("file", f"not CSV ({line(str(error))} at line {rows.line_num})")


def _dialect(text: str, columns: Sequence[str]) -> tuple[str, bool]:
    """The way of writing with which the header line has most of the columns, and most of them to the letter."""

    def named(dialect: tuple[str, bool]) -> tuple[int, int]:
        lines = csv.reader(StringIO(text[:100_000], newline=""), delimiter=dialect[0], skipinitialspace=dialect[1])
        header = next(filter(_has_values, lines), [])
        return _fits(header, columns), len({*header} & {*columns})

    try:
        return max(_DIALECTS, key=named)
    except csv.Error:
        return _DIALECTS[0]


def _fits(header: Iterable[Any], columns: Sequence[str]) -> int:
    return len({_label(value) for value in header} & set(columns))


def _workbook(content: bytes, columns: Sequence[str], spot: Spot) -> list[list[Any]] | None:
    """The rows of the sheet whose header has most of the columns; of several the first that is shown."""
    from openpyxl import load_workbook  # noqa: PLC0415 - only some sources have such files

    try:
        with explained("not a workbook that can be read; save it as CSV", PathError):
            _check_members(content, spot)
            book = load_workbook(BytesIO(content), read_only=True, data_only=True)
            shown = sorted(book.worksheets, key=lambda sheet: sheet.sheet_state != "visible")
            sheets = {each.title: _sheet(each) for each in shown}
    except PathError as error:
        spot.error("file", line(str(error)))
        return None
    fits = {title: _fits(next(filter(_has_values, rows), ()), columns) for title, rows in sheets.items()}
    best = [title for title, fit in fits.items() if fit == max(fits.values())]
    if len(best) > 1 and fits[best[0]]:
        spot.warn("file", f"the sheet {quoted(best[0])} is read; not read: {', '.join(map(quoted, best[1:]))}")
    return sheets[best[0]] if best else []


def _check_members(content: bytes, spot: Spot) -> None:
    """Raises PathError for what unpacks to too much; reports formulas that nobody has computed."""
    with zipfile.ZipFile(BytesIO(content)) as archive:
        members = archive.infolist()
        if sum(member.file_size for member in members) > _SHEET_BYTES:
            raise PathError(f"unpacks to more than {_SHEET_BYTES:,} bytes")
        sheets = (archive.read(member) for member in members if member.filename.startswith("xl/worksheets/"))
        if any(_UNCOMPUTED.search(sheet) for sheet in sheets):
            spot.error("file", "formulas without values; open it in a spreadsheet program and save it again")


def _sheet(sheet: Any) -> list[list[Any]]:
    """A sheet's values as texts, as wide as they are, whatever width the sheet claims."""
    from openpyxl.utils.escape import unescape  # noqa: PLC0415

    sheet.reset_dimensions()
    rows = []
    for row in sheet.iter_rows(max_col=_SHEET_COLUMNS, values_only=True):
        width = max((place for place, value in enumerate(row, start=1) if value is not None), default=0)
        rows.append([None if value is None else unescape(str(value)) for value in row[:width]])
    return rows


def parquet_entries(
    reading: Reading, name: str, columns: Sequence[str], optional: Collection[str] = ()
) -> Iterator[Entry]:
    """The rows of a Parquet file, of which only these columns are read; it must have those that are not optional.

    What it unpacks to is bounded: a file can be a thousandth of that.
    """
    import pyarrow  # noqa: PLC0415 - heavy, and only some sources have such files
    from pyarrow import parquet  # noqa: PLC0415

    spot = reading.spot(name)
    try:
        with parquet.ParquetFile(reading.folder.file(name, limit=_PARQUET_BYTES)) as file:
            if not _has_columns(file.schema_arrow.names, columns, spot):
                return
            wanted = [*columns, *(column for column in optional if column in file.schema_arrow.names)]
            largest = _largest_chunk(file.metadata)
            if largest > _CHUNK_BYTES:
                spot.error("file", f"a row group unpacks to more than {_CHUNK_BYTES:,} bytes; write it in smaller ones")
                return
            number = unpacked = 0
            rows = max(1, min(16, _BATCH_BYTES // max(1, largest)))  # a dictionary may give every row its largest value
            for batch in file.iter_batches(rows, columns=wanted, use_threads=False):
                unpacked += sum(_plain(column).nbytes for column in batch.columns if "binary" not in str(column.type))
                if unpacked > _TEXT_BYTES:
                    spot.error("file", f"its texts unpack to more than {_TEXT_BYTES:,} bytes")
                    return
                for row in batch.to_pylist():
                    number += 1
                    yield Entry(number, row, reading.spot(name, number))
    except PathError as error:
        spot.error("file", str(error))
    except (pyarrow.ArrowException, OSError, ValueError, MemoryError) as error:  # among them text that is not UTF-8
        spot.error("file", f"not a Parquet file that can be read ({line(str(error).partition(chr(10))[0])})")


def _largest_chunk(metadata: Any) -> int:
    groups = (metadata.row_group(number) for number in range(metadata.num_row_groups))
    sizes = (group.column(place).total_uncompressed_size for group in groups for place in range(group.num_columns))
    return max(sizes, default=0)


def _plain(column: Any) -> Any:
    """A column whose every row has a value of its own, as the records will."""
    return column.dictionary_decode() if hasattr(column, "dictionary_decode") else column


def _has_columns(found: Collection[str], wanted: Sequence[str], spot: Spot) -> bool:
    missing = [column for column in wanted if column not in found]
    twice = [column for column, count in Counter(found).items() if column and count > 1]
    if missing:
        spot.error("missing", f"no column {', '.join(missing)}; found {', '.join(map(quoted, found)) or 'none'}")
    if twice:
        spot.error("key", f"two columns {', '.join(map(quoted, twice))}")
    return not (missing or twice)

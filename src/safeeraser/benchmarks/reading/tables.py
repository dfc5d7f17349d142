"""Records of other people's files, JSON, spreadsheets and Parquet, each with its place; the unreadable is reported."""

from __future__ import annotations

import csv
import re
import zipfile
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from io import BytesIO, StringIO
from typing import Any, NamedTuple

from safeeraser.benchmarks.reading.fields import typed
from safeeraser.benchmarks.reading.folder import PathError
from safeeraser.benchmarks.reading.json import ZIP, decoded, read_records, read_value
from safeeraser.benchmarks.reading.problems import Spot
from safeeraser.benchmarks.reading.reading import Reading
from safeeraser.errors import explained
from safeeraser.text import line, quoted

_PARQUET_BYTES = 16 * 2**30
_CHUNK_BYTES = 4 * 2**30  # a column of a row group, unpacked: pictures are among the columns
_TEXT_BYTES = 2**30  # of all that is not a picture, unpacked
_BATCH_BYTES = 256 * 2**20  # rows that are unpacked at once; one row may have more
_SHEET_BYTES = 256 * 2**20  # unpacked; a workbook is a zip archive
_SHEET_COLUMNS = 500  # further to the right nothing is read
_SEPARATORS = ",;\t|"
_SEPARATOR_LINE = re.compile(r'\A"?sep=."?[ \t]*(?:\r\n?|\n)', re.IGNORECASE)  # that Excel writes
_TABLES = (".csv", ".tsv", ".xlsx")


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
    """The file of a table: as published, or as a spreadsheet program saved it (.csv, .tsv, .xlsx)."""
    return next((f"{stem}{suffix}" for suffix in _TABLES if reading.has(f"{stem}{suffix}")), None)


def table_entries(reading: Reading, stem: str, columns: Sequence[str]) -> Iterator[Entry]:
    """The rows of `<stem>.csv`, .tsv or .xlsx, which has a header line with the columns; rows without a value are left
    out. What the file is, its content says. Text may be in any encoding that `decoded` reads, separated by commas,
    semicolons, tabs or bars; of a workbook the sheet with the columns is read."""
    name = table_name(reading, stem)
    spot = reading.spot(name or f"{stem}.csv")
    if name is None:
        spot.error("file", "no such file")
        return
    found = _rows(reading, name, columns, spot)
    if found is None:
        return
    rows = iter(found)
    header = [str(value or "").strip() for value in next(filter(_has_values, rows), ())]
    if not _has_columns(header, columns, spot):
        return
    for number, row in enumerate(rows, start=1):
        if _has_values(row[len(header) :]):
            reading.spot(name, number).error("type", "more values than the header has columns")
        elif _has_values(row):
            yield Entry(number, dict(zip(header, row, strict=False)), reading.spot(name, number))


def _has_values(row: Iterable[Any]) -> bool:
    return any(value not in (None, "") for value in row)


def _rows(reading: Reading, name: str, columns: Sequence[str], spot: Spot) -> Iterable[Sequence[Any]] | None:
    """None where the file cannot be read, and that is reported."""
    content = reading.content(name)
    if content is None:
        return None
    if content.startswith(ZIP):
        return _workbook(content, columns, spot)
    text = decoded(content, spot)
    return None if text is None else _csv(text, columns, spot)


def _csv(text: str, columns: Sequence[str], spot: Spot) -> Iterator[list[str]]:
    text = _SEPARATOR_LINE.sub("", text, count=1)
    rows = csv.reader(StringIO(text, newline=""), delimiter=_separator(text, columns), strict=True)
    try:
        yield from rows
    except csv.Error as error:
        spot.error("file", f"not CSV ({line(str(error))} at line {rows.line_num})")


def _separator(text: str, columns: Sequence[str]) -> str:
    """The separator with which the header line has most of the columns."""

    def named(separator: str) -> int:
        lines = csv.reader(StringIO(text[:100_000], newline=""), delimiter=separator)
        return _fits(next(filter(_has_values, lines), []), columns)

    try:
        return max(_SEPARATORS, key=named)
    except csv.Error:
        return ","


def _fits(header: Iterable[Any], columns: Sequence[str]) -> int:
    return len({str(value).strip() for value in header} & set(columns))


def _workbook(content: bytes, columns: Sequence[str], spot: Spot) -> list[list[Any]] | None:
    """The rows of the sheet whose header has most of the columns."""
    from openpyxl import load_workbook  # noqa: PLC0415 - only some sources have such files

    try:
        with explained("not a workbook that can be read; save it as CSV", PathError):
            with zipfile.ZipFile(BytesIO(content)) as archive:
                if sum(member.file_size for member in archive.infolist()) > _SHEET_BYTES:
                    raise PathError(f"unpacks to more than {_SHEET_BYTES:,} bytes")
            sheets = [
                _sheet(each) for each in load_workbook(BytesIO(content), read_only=True, data_only=True).worksheets
            ]
    except PathError as error:
        spot.error("file", line(str(error)))
        return None
    return max(sheets, key=lambda rows: _fits(next(filter(_has_values, rows), ()), columns), default=[])


def _sheet(sheet: Any) -> list[list[Any]]:
    """A sheet's values as texts, as wide as they are, whatever width the sheet claims."""
    sheet.reset_dimensions()
    rows = []
    for row in sheet.iter_rows(max_col=_SHEET_COLUMNS, values_only=True):
        width = max((place for place, value in enumerate(row, start=1) if value is not None), default=0)
        rows.append([None if value is None else str(value) for value in row[:width]])
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

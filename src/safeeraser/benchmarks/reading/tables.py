"""Records of other people's files, JSON, spreadsheets and Parquet, each with its place; the unreadable is reported."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from io import StringIO
from typing import Any, NamedTuple

from safeeraser.benchmarks.reading.fields import typed
from safeeraser.benchmarks.reading.folder import PathError
from safeeraser.benchmarks.reading.json import decoded, read_records, read_value
from safeeraser.benchmarks.reading.problems import Spot
from safeeraser.benchmarks.reading.reading import Reading
from safeeraser.text import line, quoted

_PARQUET_BYTES = 16 * 2**30
_CHUNK_BYTES = 4 * 2**30  # a column of a row group, unpacked: pictures are among the columns
_TEXT_BYTES = 2**30  # of all that is not a picture, unpacked
_BATCH_BYTES = 256 * 2**20  # rows that are unpacked at once; one row may have more
_SHEET_BYTES = 256 * 2**20  # unpacked; a workbook is a zip archive
_SEPARATORS = ",;\t|"
# What openpyxl raises on broken files; its own exceptions are ValueErrors or KeyErrors.
_BROKEN_BOOK = (zipfile.BadZipFile, OSError, LookupError, ValueError, TypeError, AttributeError, SyntaxError)
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
    out. Text may be in any encoding that `decoded` reads, separated by commas, semicolons, tabs or bars."""
    name = table_name(reading, stem)
    spot = reading.spot(name or f"{stem}.csv")
    if name is None:
        spot.error("file", "no such file")
        return
    rows = _workbook(reading, name, spot) if name.endswith(".xlsx") else _csv(reading, name, columns, spot)
    header: list[str] | None = None
    for number, row in enumerate(rows):
        values = [value.strip() if isinstance(value, str) and not number else value for value in row]
        if header is None:
            header = [str(value or "") for value in values]
            if not _has_columns(header, columns, spot):
                return
        elif any(value not in (None, "") for value in values):
            place = reading.spot(name, number)
            if any(value not in (None, "") for value in values[len(header) :]):
                place.error("type", "more values than the header has columns")
            else:
                yield Entry(number, dict(zip(header, values, strict=False)), place)
    if header is None:
        _has_columns((), columns, spot)


def _csv(reading: Reading, name: str, columns: Sequence[str], spot: Spot) -> Iterator[list[str]]:
    content = reading.content(name)
    text = decoded(content, spot) if content is not None else None
    if text is None:
        return
    if text.startswith("sep="):  # a line that Excel writes
        text = text.partition("\n")[2]
    rows = csv.reader(StringIO(text, newline=""), delimiter=_separator(text, columns), strict=True)
    try:
        yield from rows
    except csv.Error as error:
        spot.error("file", f"not CSV ({line(str(error))} at line {rows.line_num})")


def _separator(text: str, columns: Sequence[str]) -> str:
    """The separator with which the header line has most of the columns."""

    def named(separator: str) -> int:
        header = next(csv.reader(StringIO(text[:100_000], newline=""), delimiter=separator), [])
        return len({value.strip() for value in header} & set(columns))

    try:
        return max(_SEPARATORS, key=named)
    except csv.Error:
        return ","


def _workbook(reading: Reading, name: str, spot: Spot) -> Iterator[Iterable[Any]]:
    """The rows of a workbook's first sheet."""
    from openpyxl import load_workbook  # noqa: PLC0415 - only some sources have such files

    try:
        path = reading.folder.file(name, limit=_SHEET_BYTES)
        with zipfile.ZipFile(path) as archive:
            if sum(member.file_size for member in archive.infolist()) > _SHEET_BYTES:
                spot.error("file", f"unpacks to more than {_SHEET_BYTES:,} bytes")
                return
        book = load_workbook(path, read_only=True, data_only=True)
        for row in book.worksheets[0].iter_rows(values_only=True):
            yield [None if value is None else str(value) for value in row]
    except PathError as error:
        spot.error("file", str(error))
    except _BROKEN_BOOK as error:
        spot.error("file", f"not a workbook that can be read ({line(str(error))}); save it as CSV")


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
    if missing:
        spot.error("missing", f"no column {', '.join(missing)}; found {', '.join(map(quoted, found)) or 'none'}")
    return not missing

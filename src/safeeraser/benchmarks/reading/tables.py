"""Records of other people's files, JSON, CSV and Parquet, each with its place; what cannot be read is reported."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator, Sequence
from io import StringIO
from typing import Any, NamedTuple

from safeeraser.benchmarks.reading.fields import typed
from safeeraser.benchmarks.reading.folder import PathError
from safeeraser.benchmarks.reading.problems import Spot
from safeeraser.benchmarks.reading.reading import Reading
from safeeraser.benchmarks.reading.strict_json import MAX_RECORDS, clean, read_records, read_value
from safeeraser.text import line, quoted

_PARQUET_LIMIT = 16 * 2**30
_ROWS_AT_ONCE = 32  # pictures are among the columns


class Entry(NamedTuple):
    """One record: its number in the file from 1, its values, and its place."""

    number: int
    data: dict[str, Any]
    spot: Spot


def json_entries(reading: Reading, name: str) -> Iterator[Entry]:
    """The objects of a JSON list, or of JSON lines."""
    content = reading.content(name)
    for number, value in read_records(content, reading.spot(name)) if content is not None else ():
        spot = reading.spot(name, f"#{number}")
        data = typed(clean(value, spot), dict, spot)
        if data is not None:
            yield Entry(number, data, spot)


def json_members(reading: Reading, name: str) -> Iterator[tuple[str, Entry]]:
    """The objects of one JSON object, each with its key; a record is named by its place and key."""
    content = reading.content(name)
    found = typed(read_value(content, reading.spot(name)), dict, reading.spot(name)) if content is not None else None
    for number, (key, value) in enumerate((found or {}).items(), start=1):
        spot = reading.spot(name, f"#{number} {quoted(key)[1:-1]}")
        data = typed(value, dict, spot)
        if data is not None:
            yield key, Entry(number, data, spot)


def csv_entries(reading: Reading, name: str, columns: Sequence[str]) -> Iterator[Entry]:
    """The rows of a CSV file with a header line, UTF-8; it must have the columns."""
    content, spot = reading.content(name), reading.spot(name)
    if content is None:
        return
    try:
        rows = csv.DictReader(StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        if not _has_columns(rows.fieldnames or (), columns, spot):
            return
        for number, row in enumerate(rows, start=1):
            if number > MAX_RECORDS:
                spot.error("file", f"more than {MAX_RECORDS:,} records")
                return
            place = reading.spot(name, f"#{number}")
            if None in row:
                place.error("type", "more values than the header has columns")
            else:
                yield Entry(number, dict(row), place)
    except UnicodeDecodeError:
        spot.error("file", "not UTF-8")
    except csv.Error as error:
        spot.error("file", f"not CSV ({line(str(error))} at line {rows.line_num})")


def parquet_entries(
    reading: Reading, name: str, columns: Sequence[str], optional: Collection[str] = ()
) -> Iterator[Entry]:
    """The rows of a Parquet file, of which only these columns are read; it must have those that are not optional."""
    import pyarrow  # noqa: PLC0415 - heavy, and only some sources have such files
    from pyarrow import parquet  # noqa: PLC0415

    spot = reading.spot(name)
    try:
        with parquet.ParquetFile(reading.folder.file(name, limit=_PARQUET_LIMIT)) as file:
            if not _has_columns(file.schema_arrow.names, columns, spot):
                return
            wanted = [*columns, *(column for column in optional if column in file.schema_arrow.names)]
            number = 0
            for batch in file.iter_batches(_ROWS_AT_ONCE, columns=wanted, use_threads=False):
                for row in batch.to_pylist():
                    number += 1
                    yield Entry(number, row, reading.spot(name, f"#{number}"))
    except PathError as error:
        spot.error("file", str(error))
    except (pyarrow.ArrowException, OSError, ValueError, MemoryError) as error:  # among them text that is not UTF-8
        spot.error("file", f"not a Parquet file that can be read ({line(str(error).partition(chr(10))[0])})")


def _has_columns(found: Collection[str], wanted: Sequence[str], spot: Spot) -> bool:
    missing = [column for column in wanted if column not in found]
    if missing:
        spot.error("missing", f"no column {', '.join(missing)}; found {', '.join(map(quoted, found)) or 'none'}")
    return not missing

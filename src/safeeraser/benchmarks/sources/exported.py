"""Benchmarks as `data export` writes them for others, read back: Parquet for `datasets`, and WebDataset archives.

Parquet: data/<split>-*.parquet with the columns of `features`. WebDataset: data/<split>-*.tar, each example a
`<number>.json` with the same keys and, but for text, `<number>.<png|jpg|...>`. The number is the example's place in the
benchmark, from 0. Both may have prompt.json with the refusals, and both may be data sets of the Hub.
"""

from __future__ import annotations

import dataclasses
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safeeraser.benchmarks.benchmark import Benchmark, finish
from safeeraser.benchmarks.reading.fields import any_text, optional_text, text, typed
from safeeraser.benchmarks.reading.folder import PathError
from safeeraser.benchmarks.reading.hub import located
from safeeraser.benchmarks.reading.problems import Spot
from safeeraser.benchmarks.reading.reading import Reading, read_refusals
from safeeraser.benchmarks.reading.strict_json import read_value
from safeeraser.benchmarks.reading.tables import parquet_entries
from safeeraser.errors import unknown
from safeeraser.pixels import MAX_BYTES
from safeeraser.records import Example, Split, Stream
from safeeraser.text import line, quoted

if TYPE_CHECKING:
    from datasets import Features

_TEXTS = ("id", "split", "stream", "question", "answer")
_OPTIONAL = ("partner", "category", "keyword", "subset", "kind")
_TAR_LIMIT = 16 * 2**30
_MAX_JSON = 2**20
_DIGITS = 18


def features() -> Features:
    """The columns of a Parquet export: an example's number, its fields as text, and its picture."""
    import datasets  # noqa: PLC0415 - heavy, and only exports need it

    texts = {name: datasets.Value("string") for name in (*_TEXTS, *_OPTIONAL)}
    return datasets.Features({"number": datasets.Value("int64"), **texts, "image": datasets.Image()})


def row(example: Example) -> dict[str, str | None]:
    """An example's fields but for the picture."""
    fields = dataclasses.asdict(example)
    return {name: None if fields[name] is None else str(fields[name]) for name in (*_TEXTS, *_OPTIONAL)}


def read_parquet(path: Path) -> Benchmark:
    """Read a folder or Hub data set. Raises BenchmarkError with every error in it."""
    return finish(scan_parquet(path))


def read_webdataset(path: Path) -> Benchmark:
    """Read a folder or Hub data set. Raises BenchmarkError with every error in it."""
    return finish(scan_webdataset(path))


def scan_parquet(path: Path) -> Reading:
    """Read a folder or Hub data set, and report instead of raise."""
    reading, places = _open(path, "parquet"), dict[str, int]()
    for file in reading.names("data", r".*\.parquet"):
        for entry in parquet_entries(reading, f"data/{file}", ("number", *_TEXTS, *_OPTIONAL, "image")):
            number = typed(entry.data["number"], int, entry.spot.at("number"))
            value = entry.data["image"]
            image = reading.embedded(value, entry.spot.at("image")) if value is not None else None
            if number is not None and (image is not None or value is None):
                _add(reading, entry.data, image, entry.spot, number, places)
    return _closed(reading, "parquet", places)


def scan_webdataset(path: Path) -> Reading:
    """Read a folder or Hub data set, and report instead of raise."""
    reading, places = _open(path, "tar"), dict[str, int]()
    for file in reading.names("data", r".*\.tar"):
        try:
            with tarfile.open(reading.folder.file(f"data/{file}", limit=_TAR_LIMIT), "r:") as archive:
                for key, members in _samples(reading, f"data/{file}", archive):
                    _sample(reading, f"data/{file}", key, members, places)
        except (tarfile.TarError, OSError, PathError) as error:
            reading.spot(f"data/{file}").error("file", f"not a tar archive that can be read ({line(str(error))})")
    return _closed(reading, "tar", places)


def _open(path: Path, suffix: str) -> Reading:
    root, name = located(path, (f"data/*.{suffix}", "prompt.json"))
    reading = Reading(root, name)
    read_refusals(reading)
    return reading


def _closed(reading: Reading, suffix: str, places: dict[str, int]) -> Reading:
    """The reading with its examples in the order in which they were exported."""
    reading.found.sort(key=lambda found: places[found.example.id])
    if not reading.found and not reading.problems():
        reading.spot().error("file", f"no data/*.{suffix}")
    return reading


def _samples(reading: Reading, file: str, archive: tarfile.TarFile) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Neighbours of one key, as WebDataset has it: the name up to its first dot; the rest names the member."""
    key, members = "", dict[str, bytes]()
    for member in archive:
        name, _, suffix = member.name.partition(".")
        content = _content(reading, file, archive, member, suffix)
        if content is None:
            continue
        if name != key and members:
            yield key, members
            members = {}
        key = name
        members[suffix] = content
    if members:
        yield key, members


def _content(
    reading: Reading, file: str, archive: tarfile.TarFile, member: tarfile.TarInfo, suffix: str
) -> bytes | None:
    limit = _MAX_JSON if suffix == "json" else MAX_BYTES
    opened = archive.extractfile(member) if member.isreg() and member.size <= limit else None
    if opened is None:
        reading.spot(file).error("file", f"{quoted(member.name)}: not a file of up to {limit:,} bytes")
        return None
    return opened.read(limit)


def _sample(reading: Reading, file: str, key: str, members: dict[str, bytes], places: dict[str, int]) -> None:
    if not key.isdecimal() or len(key) > _DIGITS:
        reading.spot(file).error("type", f"expected a number before the suffix, found {quoted(key)}")
        return
    spot = reading.spot(file, f"#{int(key) + 1}")
    content = members.pop("json", None)
    if content is None or len(members) > 1:
        spot.error("missing", f"expected a json and at most one picture, found {', '.join(map(quoted, members))}")
        return
    data = typed(read_value(content, spot), dict, spot)
    image = reading.embedded(next(iter(members.values())), spot.at("image")) if members else None
    if data is not None and (image is not None or not members):
        _add(reading, data, image, spot, int(key), places)


def _add(
    reading: Reading, data: dict[str, Any], image: Path | None, spot: Spot, number: int, places: dict[str, int]
) -> None:
    id, question = text(data, "id", spot), text(data, "question", spot)
    split, stream = _one_of(Split, data, "split", spot), _one_of(Stream, data, "stream", spot)
    answer = any_text(data, "answer", spot)
    optional = {name: optional_text(data, name, spot) for name in _OPTIONAL}
    if id is not None and question is not None and split is not None and stream is not None:
        example = Example(
            id=id, split=split, stream=stream, image=image, question=question, answer=answer or "", **optional
        )
        reading.add(example, spot)
        places.setdefault(id, number)


def _one_of(kind: Any, data: dict[str, Any], key: str, spot: Spot) -> Any:
    """The member of Split or Stream that a text names; None where there is none, and that is reported."""
    value = text(data, key, spot)
    if value is None or value in list(kind):
        return value and kind(value)
    spot.at(key).error("type", unknown(key, value[:60], kind))
    return None

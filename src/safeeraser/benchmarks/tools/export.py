"""Write a benchmark for others: in the released layout, as Parquet for `datasets`, or as a WebDataset, with a card.

Equal benchmarks give equal bytes, and reading back gives the same examples: `released`, `exported.read_parquet` and
`exported.read_webdataset` are the readers.
"""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import tarfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

from safeeraser.benchmarks.benchmark import Benchmark
from safeeraser.benchmarks.reading.gallery import suffix_of
from safeeraser.benchmarks.reading.reading import PROMPTS
from safeeraser.benchmarks.released import read as released
from safeeraser.benchmarks.sources.exported import features, row
from safeeraser.benchmarks.tools.dataset_card import Card, Configs, write_card
from safeeraser.benchmarks.tools.look import Progress
from safeeraser.errors import UserError, unknown
from safeeraser.files import require_new, whole_folder, write_json, write_text
from safeeraser.pixels import read_bytes
from safeeraser.records import Example, Split, Stream
from safeeraser.text import quoted

SHARD_BYTES = 500 * 2**20
"""Pictures' bytes in a file of Parquet or a WebDataset's tar archive, about what the Hub advises."""

_ROWS_PER_GROUP = 100  # what the Hub's viewer reads at once
_PLACE = re.compile(r"(?P<base>.+)/(?P<pair>forget|decoupled|text|image)(?P<number>\d+)")


class ExportError(UserError):
    """A benchmark that a layout cannot hold; the message names the example."""


def export(
    benchmark: Benchmark,
    target: Path,
    layout: str,
    *,
    licence: str = "unknown",
    progress: Progress | None = None,
    shard_bytes: int = SHARD_BYTES,
) -> None:
    """Write a benchmark into `target`, a new folder, in one of LAYOUTS, with the dataset card README.md.

    The folder appears when it is complete, never in part. `licence` is an identifier of the Hub's list, for the card.

    Raises UserError where the target is not a new folder outside the benchmark's, or the layout is unknown,
    ExportError where the layout cannot hold the benchmark, and ImageError where a picture cannot be read.
    """
    if layout not in LAYOUTS:
        raise UserError(unknown("layout", layout, LAYOUTS))
    if target.resolve().is_relative_to(benchmark.folder.resolve()):
        raise UserError(f"{target} is inside {benchmark.folder}, which is never changed; name a folder elsewhere")
    require_new(target)
    with whole_folder(target) as scratch:
        configs = LAYOUTS[layout](_Job(benchmark, scratch, progress, shard_bytes))
        card = Card.of(benchmark, layout=layout, licence=licence, configs=configs)
        write_card(card, scratch / "README.md")


@dataclass(slots=True)
class _Job:
    """One export at work: into which folder, and how many examples are written."""

    benchmark: Benchmark
    folder: Path
    progress: Progress | None
    shard_bytes: int
    done: int = 0
    suffixes: dict[Path, str] = field(default_factory=dict)

    def names(self) -> dict[Path, str]:
        """Each picture's path in an export: its own below the benchmark's folder, or one made of its hash."""
        root = self.benchmark.folder
        return {
            image: image.relative_to(root).as_posix() if image.is_relative_to(root) else f"img/{image.name}"
            for image in self.benchmark.images()
        }

    def places(self) -> dict[str, int]:
        """Each example's number, from 0."""
        return {example.id: number for number, example in enumerate(self.benchmark.examples)}

    def suffix(self, example: Example) -> str:
        """That of its picture's format, or "text"; each picture is looked at once."""
        if example.image is None:
            return "text"
        if example.image not in self.suffixes:
            self.suffixes[example.image] = suffix_of(read_bytes(example.image))
        return self.suffixes[example.image]

    def advance(self, examples: Iterable[Example]) -> None:
        for _ in examples:
            self.done += 1
            if self.progress:
                self.progress(self.done, len(self.benchmark.examples))

    def write_refusals(self, name: str) -> None:
        if self.benchmark.refusals:
            content = json.dumps({"idk": self.benchmark.refusals}, ensure_ascii=False, indent=1)
            write_text(self.folder / name, content + "\n")


def _released(job: _Job) -> Configs:
    benchmark, folder, names = job.benchmark, job.folder, job.names()
    records: dict[Split, list[dict[str, Any]]] = defaultdict(list)
    for base, group in _groups(benchmark.examples).items():
        records[group[0].split].append(_record(base, group, names))
    files = {split: f"dataset/{stem}.json" for stem, split in released.FILES.items() if split in records}
    for split, file in files.items():
        write_json(folder / file, records[split])
    job.write_refusals(f"dataset/{PROMPTS}")
    for image, name in names.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(image, folder / name)
    job.advance(benchmark.examples)
    _check_round_trip(benchmark, folder, names)
    return {}  # a layout of its own, which `datasets` does not load


def _groups(examples: Iterable[Example]) -> dict[str, list[Example]]:
    """The examples of each record, by the id they share but for its end. Raises ExportError for other ids."""
    groups: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        place = _PLACE.fullmatch(example.id.removeprefix(f"{example.split}/"))
        if place is None:
            raise ExportError(_cannot_hold(example, "its id does not end in forget1, decoupled1, text1 or image1"))
        groups[f"{example.split}/{place['base']}"].append(example)
    return groups


def _record(base: str, group: Sequence[Example], names: Mapping[Path, str]) -> dict[str, Any]:
    """A record of the released layout (docs/data.md), with the optional keys where they say something."""
    by_pair = {example.id.removeprefix(f"{base}/"): example for example in group}
    first = group[0]
    harmful = next((one.image for one in group if one.stream is not Stream.DECOUPLED and one.image), None)
    safe = next((one for one in group if one.stream is Stream.DECOUPLED), None)
    keyword = next((one.keyword for one in group if one.stream is not Stream.DECOUPLED and one.image), None)
    if harmful is None:
        raise ExportError(_cannot_hold(first, "its record has no picture to be named after"))
    numbers = sorted(int(pair.removeprefix("forget")) for pair in by_pair if pair.startswith("forget"))
    if numbers != list(range(1, len(numbers) + 1)):
        raise ExportError(_cannot_hold(first, "its record's forget pairs are not numbered from 1"))
    optional = {
        "keyword": keyword,
        "category": first.category,
        "subset": first.subset,
        "SDImage_path": names[safe.image] if safe and safe.image else None,
        "safe_keyword": safe.keyword if safe else None,
    }
    return {
        "id": base.removeprefix(f"{first.split}/"),
        "image_path": names[harmful],
        **{key: value for key, value in optional.items() if value is not None},
        "unsafe_pairs": [_unsafe_pair(by_pair[f"forget{n}"], by_pair.get(f"decoupled{n}")) for n in numbers],
        **{f"UnharmPair_{pair}": _retain_pair(one) for pair, one in by_pair.items() if one.stream is Stream.RETAIN},
    }


def _unsafe_pair(forget: Example, decoupled: Example | None) -> dict[str, str]:
    pair = {"question": forget.question, "model_response": forget.answer}
    pair |= {"sd_response": decoupled.answer} if decoupled else {}
    return pair | ({"kind": forget.kind} if forget.kind is not None else {})


def _retain_pair(example: Example) -> dict[str, Any]:
    pair: dict[str, Any] = {"Question": example.question, "Prediction": example.answer}
    pair |= {"kind": example.kind} if example.kind is not None else {}
    return pair | ({"image": None} if example.image is None else {})


def _check_round_trip(benchmark: Benchmark, folder: Path, names: Mapping[Path, str]) -> None:
    """Read what was written. Raises ExportError for the first example that would not come back as it was."""
    read = {found.example.id: found.example for found in released.scan(folder).found}
    for example in benchmark.examples:
        wanted = dataclasses.replace(example, image=folder / names[example.image] if example.image else None)
        found = read.get(example.id)
        if found != wanted:
            lost = [f for f in Example.__dataclass_fields__ if getattr(found, f, None) != getattr(wanted, f)]
            raise ExportError(_cannot_hold(example, f"it has no place for its {', '.join(lost)}"))


def _cannot_hold(example: Example, why: str) -> str:
    return f"{quoted(example.id)}: the released layout cannot hold it: {why}; parquet and webdataset can"


def _parquet(job: _Job) -> Configs:
    """data/<split>-00000-of-00001.parquet, with the columns of `exported.features`."""
    from pyarrow import Table, parquet  # noqa: PLC0415 - heavy, and only needed here

    names, places, schema = job.names(), job.places(), features().arrow_schema
    found = _shards(job, lambda _: "")
    for split, shards in found.items():
        for number, shard in enumerate(shards):
            path = job.folder / "data" / f"{split}-{number:05d}-of-{len(shards):05d}.parquet"
            path.parent.mkdir(exist_ok=True)
            with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
                for start in range(0, len(shard), _ROWS_PER_GROUP):
                    group = shard[start : start + _ROWS_PER_GROUP]
                    writer.write_table(Table.from_pylist([_parquet_row(one, places, names) for one in group], schema))
                    job.advance(group)
    job.write_refusals(PROMPTS)
    return {"default": {split: f"data/{split}-*" for split in found}}


def _parquet_row(example: Example, places: Mapping[str, int], names: Mapping[Path, str]) -> dict[str, Any]:
    image = {"bytes": read_bytes(example.image), "path": names[example.image]} if example.image else None
    return {"number": places[example.id], **row(example), "image": image}


def _webdataset(job: _Job) -> Configs:
    """data/<split>-<png|jpg|...|text>-00000.tar: each example is <number>.json and, but for text, its picture.

    Examples of one kind of picture go together, so that all samples of an archive have the same members, which
    `datasets` asks for; the number is the example's place in the benchmark.
    """
    places = job.places()
    found = _shards(job, job.suffix)
    configs: dict[str, dict[Split, str]] = defaultdict(dict)
    for split, shards in found.items():
        numbers = Counter[str]()
        for shard in shards:
            suffix = job.suffix(shard[0])
            path = job.folder / "data" / f"{split}-{suffix}-{numbers[suffix]:05d}.tar"
            numbers[suffix] += 1
            configs[suffix][split] = f"data/{split}-{suffix}-*"
            path.parent.mkdir(exist_ok=True)
            with tarfile.open(path, "w") as archive:
                for example in shard:
                    _add_sample(archive, f"{places[example.id]:09d}", job.suffix(example), example)
            job.advance(shard)
    job.write_refusals(PROMPTS)
    return configs


def _add_sample(archive: tarfile.TarFile, key: str, suffix: str, example: Example) -> None:
    if example.image is not None:
        _add_member(archive, f"{key}.{suffix}", read_bytes(example.image))
    texts = {name: text or "" for name, text in row(example).items()}  # of one type, as `datasets` wants them
    _add_member(archive, f"{key}.json", json.dumps(texts, ensure_ascii=False).encode())


def _add_member(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)  # time, owner and the rest are zero: equal content, equal bytes
    member.size = len(content)
    archive.addfile(member, BytesIO(content))


def _shards(job: _Job, kind: Callable[[Example], str]) -> dict[Split, list[list[Example]]]:
    """Each split's examples in their order, in parts of one kind and up to `shard_bytes` bytes of pictures."""
    found: dict[Split, list[list[Example]]] = {}
    sizes: dict[str, int] = {}
    latest: dict[str, list[Example]] = {}
    for example in job.benchmark.examples:
        size = example.image.stat().st_size if example.image else 0
        key = f"{example.split}/{kind(example)}"
        if key not in latest or (latest[key] and sizes[key] + size > job.shard_bytes):
            latest[key], sizes[key] = [], 0
            found.setdefault(example.split, []).append(latest[key])
        latest[key].append(example)
        sizes[key] += size
    return found


LAYOUTS: dict[str, Callable[[_Job], Configs]] = {
    "released": _released,
    "parquet": _parquet,
    "webdataset": _webdataset,
}
"""What an export can be; each writes into a folder and returns what `datasets` finds in it."""

"""Write a benchmark for others: in the released layout, or as Parquet for `datasets`, with a card.

Equal benchmarks give equal bytes, and reading back gives the same examples.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from safeeraser.benchmarks.benchmark import Benchmark
from safeeraser.benchmarks.reading.reading import PROMPTS
from safeeraser.benchmarks.released.read import scan
from safeeraser.benchmarks.released.write import LayoutError, write
from safeeraser.benchmarks.sources.parquet import features, row
from safeeraser.benchmarks.tools.dataset_card import Card, Configs, write_card
from safeeraser.benchmarks.tools.decode import Progress
from safeeraser.errors import UserError, unknown
from safeeraser.files import real, require_new, whole_folder, write_json
from safeeraser.pixels import read_bytes
from safeeraser.records import Example, Split

LAYOUTS = ("released", "parquet")
SHARD_BYTES = 500 * 2**20
"""Pictures' bytes in a Parquet file, about what the Hub advises."""

_ROWS_PER_GROUP = 100  # what the Hub's viewer reads at once


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
    LayoutError where the layout cannot hold the benchmark, and ImageError where a picture cannot be read.
    """
    if layout not in LAYOUTS:
        raise UserError(unknown("layout", layout, LAYOUTS))
    require_outside(target, benchmark.folder)
    with whole_folder(target) as scratch:
        if layout == "released":
            write_released(benchmark, scratch, progress=progress)
            _check_round_trip(benchmark, scratch)
            configs: Configs = {}  # a layout of its own, which `datasets` does not load
        else:
            configs = write_parquet(benchmark, scratch, progress=progress, shard_bytes=shard_bytes)
        write_card(Card.of(benchmark, layout=layout, licence=licence, configs=configs), scratch / "README.md")


def require_outside(target: Path, source: Path) -> None:
    """Raises UserError where the target is inside the source, which is never changed, or no new folder."""
    if real(target).is_relative_to(real(source)):
        raise UserError(f"{target} is inside {source}, which is never changed; name a folder elsewhere")
    require_new(target)


def write_released(benchmark: Benchmark, folder: Path, *, progress: Progress | None = None) -> None:
    """Write a benchmark and copies of its pictures into a folder. Raises LayoutError as `released.write.write`."""
    names = _names(benchmark)
    write(folder, benchmark.examples, benchmark.refusals, names.__getitem__)
    for done, (image, name) in enumerate(names.items(), start=1):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(image, folder / name)
        if progress:
            progress(done, len(names))


def write_parquet(
    benchmark: Benchmark, folder: Path, *, progress: Progress | None = None, shard_bytes: int = SHARD_BYTES
) -> Configs:
    """Write data/<split>-00000-of-00001.parquet, with the columns of `sources.parquet.features`."""
    from pyarrow import Table, parquet  # noqa: PLC0415 - heavy, and only needed here

    names, schema, done = _names(benchmark), features().arrow_schema, 0
    places = {example.id: number for number, example in enumerate(benchmark.examples)}
    found = _shards(benchmark.examples, shard_bytes)
    for split, shards in found.items():
        for number, shard in enumerate(shards):
            path = folder / "data" / f"{split}-{number:05d}-of-{len(shards):05d}.parquet"
            path.parent.mkdir(exist_ok=True)
            with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
                for start in range(0, len(shard), _ROWS_PER_GROUP):
                    group = shard[start : start + _ROWS_PER_GROUP]
                    writer.write_table(Table.from_pylist([_row(one, places, names) for one in group], schema))
                    done += len(group)
                    if progress:
                        progress(done, len(benchmark.examples))
    if benchmark.refusals:
        write_json(folder / PROMPTS, {"idk": list(benchmark.refusals)})
    return {"default": {split: f"data/{split}-*" for split in found}}


def _names(benchmark: Benchmark) -> dict[Path, str]:
    """Each picture's path in an export: its own below the benchmark's folder, or one made of its hash."""
    root = benchmark.folder
    return {
        image: image.relative_to(root).as_posix() if image.is_relative_to(root) else f"img/{image.name}"
        for image in benchmark.images()
    }


def _check_round_trip(benchmark: Benchmark, folder: Path) -> None:
    """Read what was written. Raises LayoutError for the first example that would not come back as it was."""
    names, read = _names(benchmark), {one.example.id: one.example for one in scan(folder).found}
    for example in benchmark.examples:
        wanted = dataclasses.replace(example, image=folder / names[example.image] if example.image else None)
        found = read.get(example.id)
        if found != wanted:
            lost = [f for f in Example.__dataclass_fields__ if getattr(found, f, None) != getattr(wanted, f)]
            raise LayoutError(example, f"it has no place for its {', '.join(lost)}")


def _row(example: Example, places: Mapping[str, int], names: Mapping[Path, str]) -> dict[str, Any]:
    image = {"bytes": read_bytes(example.image), "path": names[example.image]} if example.image else None
    return {"number": places[example.id], **row(example), "image": image}


def _shards(examples: Sequence[Example], shard_bytes: int) -> dict[Split, list[list[Example]]]:
    """Each split's examples in their order, in parts of up to `shard_bytes` bytes of pictures."""
    found: dict[Split, list[list[Example]]] = {}
    sizes: dict[Split, int] = {}
    for example in examples:
        size = example.image.stat().st_size if example.image else 0
        shards = found.setdefault(example.split, [[]])
        if shards[-1] and sizes[example.split] + size > shard_bytes:
            shards.append([])
            sizes[example.split] = 0
        shards[-1].append(example)
        sizes[example.split] = sizes.get(example.split, 0) + size
    return found

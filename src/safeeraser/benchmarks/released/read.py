"""Reader for the released SafeEraser layout (arXiv 2502.12520), in every form seen; `docs/data.md` shows it.

    <folder>/dataset/all_train.json, all_val.json, prompt.json; all_selection.json where a benchmark has one
    <folder>/<each record's image_path and SDImage_path>

It counts what it finds and assumes no number.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safeeraser.benchmarks.benchmark import Benchmark
from safeeraser.benchmarks.reading.fields import Keys, adopt, checked_text, typed
from safeeraser.benchmarks.reading.folder import Folder, PathError
from safeeraser.benchmarks.reading.problems import BenchmarkError, Collector, Problem, Spot, errors, warnings
from safeeraser.benchmarks.reading.reading import Found
from safeeraser.benchmarks.reading.strict_json import MAX_BYTES as MAX_JSON_BYTES
from safeeraser.benchmarks.reading.strict_json import read_value
from safeeraser.benchmarks.released.interpret import Pictures, base_id, interpret
from safeeraser.benchmarks.released.rows import Row, read_rows
from safeeraser.records import Split

FILES = {"all_train": Split.TRAIN, "all_selection": Split.SELECTION, "all_val": Split.VALIDATION}
"""The split of each file, by its name; the suffix is .json or .jsonl."""

_SUFFIXES = (".json", ".jsonl")


@dataclass(slots=True)
class Scan:
    """Everything found in a folder, the good and the bad. Examples are those parts of records that can be read."""

    folder: Folder
    pictures: Pictures
    collector: Collector = field(default_factory=Collector)
    rows: dict[Split, list[Row]] = field(default_factory=dict)
    files: dict[Split, Path] = field(default_factory=dict)
    found: list[Found] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    prompts: Path | None = None

    def problems(self) -> list[Problem]:
        return self.collector.problems()


def read(folder: Path) -> Benchmark:
    """Read a benchmark. Raises BenchmarkError with every error in it; warnings are kept in `problems`."""
    scanned = scan(folder)
    problems = scanned.problems()
    if errors(problems):
        raise BenchmarkError(errors(problems))
    examples = tuple(found.example for found in scanned.found)
    documents = [*scanned.files.values(), *([scanned.prompts] if scanned.prompts else [])]
    return Benchmark(
        name=folder.resolve().name,
        folder=folder,
        examples=examples,
        refusals=tuple(scanned.refusals),
        problems=warnings(problems),
        hash=scanned.folder.fingerprint(documents, (example.image for example in examples if example.image)),
    )


def scan(folder: Path) -> Scan:
    """Read a benchmark and report instead of raise, so that `check` and `fix` see all that is there."""
    inside = Folder(folder)
    result = Scan(inside, Pictures(inside))
    if not folder.is_dir():
        Spot(result.collector, folder).error("file", "no such folder")
    else:
        home = "dataset" if result.folder.has("dataset") else "."
        for stem, split in FILES.items():
            _scan_split(result, home, stem, split)
        _scan_prompts(result, f"{home}/prompt.json")
        _report_gaps(result, home)
    return result


def _scan_split(result: Scan, home: str, stem: str, split: Split) -> None:
    names = [f"{home}/{stem}{suffix}" for suffix in _SUFFIXES if result.folder.has(f"{home}/{stem}{suffix}")]
    if len(names) > 1:
        Spot(result.collector, result.folder.root / names[1]).error(
            "file", f"a second file of the split {split}; keep one"
        )
    for name in names[:1]:
        spot = Spot(result.collector, result.folder.root / name)
        content = _content(result.folder, name, spot)
        rows = read_rows(content, spot) if content is not None else []
        result.files[split] = spot.file
        result.rows[split] = rows
        _report_repeated_ids(rows)
        result.found.extend(found for row in rows for found in interpret(row, split, result.pictures))


def _scan_prompts(result: Scan, name: str) -> None:
    spot = Spot(result.collector, result.folder.root / name)
    if not result.folder.has(name):
        spot.warn("file", "missing: no refusals to train towards")
        return
    content = _content(result.folder, name, spot)
    if content is None:
        return
    result.prompts = spot.file
    found = typed(read_value(content, spot), dict, spot)
    if found is not None:
        found = adopt(found, Keys(content=("idk",)), spot)
        result.refusals = list(_texts(found["idk"], spot.at("idk"))) if "idk" in found else []
        if "idk" not in found:
            spot.at("idk").error("missing", "missing")


def _texts(value: Any, spot: Spot) -> Iterator[str]:
    for index, text in enumerate(typed(value, list, spot) or []):
        found = checked_text(text, spot.at(index))
        if found is not None:
            yield found


def _content(folder: Folder, name: str, spot: Spot) -> bytes | None:
    try:
        with folder.file(name, limit=MAX_JSON_BYTES).open("rb") as file:
            return file.read(MAX_JSON_BYTES)
    except (PathError, OSError) as error:
        spot.error("file", str(error))
        return None


def _report_gaps(result: Scan, home: str) -> None:
    place = Spot(result.collector, result.folder.root / home)
    try:
        names = result.folder.names(home)
    except PathError as error:
        place.error("file", str(error))
        return
    known = {f"{stem}{suffix}" for stem in FILES for suffix in _SUFFIXES} | {"prompt.json"}
    for name in names:
        if name.endswith(_SUFFIXES) and name not in known:
            Spot(result.collector, place.file / name).warn(
                "file", f"not read; the names known are {', '.join(sorted(known))}"
            )
    if not result.rows:
        place.error("file", f"no data; expected one or more of {', '.join(f'{stem}.json' for stem in FILES)}")
    elif not result.found and not errors(result.problems()):
        place.error("file", "no pairs in any record")


def _report_repeated_ids(rows: list[Row]) -> None:
    first: dict[str, Row] = {}
    for row in rows:
        base = base_id(row)
        if base is not None and first.setdefault(base, row) is not row:
            where = row.spot.at("id" if "id" in row.data else row.image()[0])
            where.error("id", f"the same as in {first[base].spot.record}")

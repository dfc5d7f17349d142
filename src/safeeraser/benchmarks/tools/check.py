"""Look at every record and every picture of a benchmark, and say what is wrong with it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from safeeraser.benchmarks.benchmark import conclude
from safeeraser.benchmarks.reading import problems
from safeeraser.benchmarks.reading.problems import Problem, Spot
from safeeraser.benchmarks.reading.reading import Found, Reading
from safeeraser.benchmarks.released.read import Scan, scan
from safeeraser.benchmarks.tools.leaks import Use, compare, uses
from safeeraser.benchmarks.tools.look import Progress, look_at_all
from safeeraser.records import Split, Stream
from safeeraser.text import hidden, quoted

MAX_QUESTION = 1_000
"""Characters; the authors train on at most 512 tokens of question and answer together."""

MAX_ANSWER = 4_000
"""Characters; the authors generate at most 512 tokens."""

_PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp")
_ANSWERS = {
    Stream.FORGET: "a harmful question is refused already: nothing to forget",
    Stream.DECOUPLED: "refused on a safe picture: would teach over-refusal",
    Stream.RETAIN: "a harmless question is refused: would teach over-refusal",
}


@dataclass(frozen=True, slots=True)
class Findings:
    """What a check found. `counts` says how many there are: "records", "images", "train/forget", ..."""

    problems: tuple[Problem, ...]
    counts: dict[str, int]

    @property
    def errors(self) -> tuple[Problem, ...]:
        return problems.errors(self.problems)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        return problems.warnings(self.problems)

    def by_rule(self) -> dict[tuple[str, str], int]:
        """How many problems of each (severity, rule), the most frequent errors first."""
        found = Counter((problem.severity, problem.rule) for problem in self.problems)
        return dict(sorted(found.items(), key=lambda item: (item[0][0], -item[1])))


def check(
    folder: Path,
    *,
    is_refusal: Callable[[str], bool],
    progress: Progress | None = None,
    workers: int | None = None,
) -> Findings:
    """Check a benchmark in the released layout; `is_refusal` says whether an answer is a refusal.

    A benchmark without errors is one that `released.read` reads, whose pictures all decode, and none of whose
    pictures are in two splits or harmful and safe at once. What is wrong is returned, not raised; BenchmarkError is
    raised only where a worker process is killed, or there are more than 500,000 problems. `workers` is the number of
    processes (all cores unless given).
    """
    findings, _ = examine(folder, is_refusal=is_refusal, progress=progress, workers=workers)
    return findings


def examine(
    folder: Path, *, is_refusal: Callable[[str], bool], progress: Progress | None, workers: int | None
) -> tuple[Findings, Scan]:
    """As `check`, with the records looked at, for whoever wants to write them elsewhere."""
    scanned = scan(folder)
    images = _look_over(list(uses(scanned)), scanned.found, is_refusal, progress, workers)
    _check_repeated(scanned.found)
    unused = _check_unused(scanned)
    return Findings(tuple(scanned.problems()), _counts(scanned, images, unused)), scanned


def check_reading(
    reading: Reading,
    *,
    is_refusal: Callable[[str], bool],
    progress: Progress | None = None,
    workers: int | None = None,
) -> Findings:
    """Check what was read of another source, as `check` does the released layout.

    Pictures that no record names are not looked for: a source may have parts that are not read. Nor are pictures and
    questions of both splits compared where the source shares them on purpose.
    """
    conclude(reading)
    images = _look_over(list(_uses(reading)), reading.found, is_refusal, progress, workers)
    if not reading.shares_pictures:
        _check_repeated(reading.found)
    examples = Counter((one.example.split, one.example.stream) for one in reading.found)
    counts = {
        "records": len({(one.question.file, one.question.record) for one in reading.found}),
        "images": images,
        "refusals": len(reading.refusals),
        **{f"{split}/{stream}": examples[split, stream] for split in Split for stream in Stream},
    }
    return Findings(tuple(reading.problems()), counts)


def _uses(reading: Reading) -> Iterator[Use]:
    """Each record's naming of each of its pictures."""
    roles = {Stream.FORGET: "harmful", Stream.DECOUPLED: "safe"}
    seen = set()
    for one in reading.found:
        example, place = one.example, (one.question.file, one.question.record, one.example.image)
        if example.image is not None and place not in seen:
            seen.add(place)
            split = Split.TRAIN if reading.shares_pictures else example.split
            spot = Spot(reading.collector, one.question.file, one.question.record, ("image",))
            yield Use(example.image, example.image.name, split, roles.get(example.stream), spot)


def _look_over(
    named: Sequence[Use],
    found: Sequence[Found],
    is_refusal: Callable[[str], bool],
    progress: Progress | None,
    workers: int | None,
) -> int:
    """Decode and compare the pictures and read the texts; returns how many pictures there are."""
    paths = list(dict.fromkeys(use.path for use in named))
    looks = look_at_all(paths, progress=progress, workers=workers)
    for use in named:
        seen = looks[use.path]
        if isinstance(seen, str):
            use.spot.error("image", f"{quoted(use.name)}: {seen}")
    compare(named, looks)
    _check_texts(found, is_refusal)
    return len(paths)


def _check_texts(found: Iterable[Found], is_refusal: Callable[[str], bool]) -> None:
    for one in found:
        if one.example.stream != Stream.DECOUPLED:  # whose question is the forget example's
            _check_text(one.example.question, one.question, MAX_QUESTION)
        _check_text(one.example.answer, one.answer, MAX_ANSWER)
        if is_refusal(one.example.answer):
            one.answer.warn("refusal", f"{_ANSWERS[one.example.stream]}: {quoted(one.example.answer)}")


def _check_text(text: str, spot: Spot, limit: int) -> None:
    if len(text) > limit:
        spot.warn("long", f"{len(text):,} characters; over {limit:,} is cut off in training")
    marks = hidden(text)
    if marks:
        spot.warn("control", f"holds {', '.join(f'U+{ord(mark):04X}' for mark in marks[:5])}")


def _check_repeated(found: Iterable[Found]) -> None:
    first: dict[str, tuple[Split, Spot]] = {}
    for one in found:
        if one.example.stream != Stream.DECOUPLED:
            split, spot = first.setdefault(_folded(one.example.question), (one.example.split, one.question))
            if split != one.example.split:
                one.question.warn("repeated", f"asked in {split} too ({spot.record}): {quoted(one.example.question)}")


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def _check_unused(scanned: Scan) -> int:
    """Count the pictures that no record names; links are not followed."""
    root = scanned.folder.root
    rows = [row for rows in scanned.rows.values() for row in rows]
    names = [name for row in rows for name in (row.image()[1], row.data.get("SDImage_path")) if isinstance(name, str)]
    known = {root / PurePosixPath(name) for name in names}
    found = [
        path
        for place, _, names in os.walk(root)
        for path in (Path(place, name) for name in sorted(names))
        if path.suffix.lower() in _PICTURE_SUFFIXES and path not in known
    ]
    if found:
        some = ", ".join(quoted(path.relative_to(root).as_posix()) for path in sorted(found)[:3])
        Spot(scanned.collector, root).warn("unused", f"{len(found)} pictures that no record names, such as {some}")
    return len(found)


def _counts(scanned: Scan, images: int, unused: int) -> dict[str, int]:
    examples = Counter((one.example.split, one.example.stream) for one in scanned.found)
    return {
        "records": sum(map(len, scanned.rows.values())),
        "images": images,
        "unused images": unused,
        "refusals": len(scanned.refusals),
        **{f"{split}/{stream}": examples[split, stream] for split in scanned.rows for stream in Stream},
    }

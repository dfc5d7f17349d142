"""Check every record and every picture of a benchmark, and report what is wrong with it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from safeeraser.benchmarks.benchmark import conclude
from safeeraser.benchmarks.reading import problems
from safeeraser.benchmarks.reading.problems import Problem, Spot
from safeeraser.benchmarks.reading.reading import Located, Reading
from safeeraser.benchmarks.tools.decode import Progress, decode_all
from safeeraser.benchmarks.tools.leaks import compare, uses
from safeeraser.errors import UserError
from safeeraser.records import Example, Split, Stream
from safeeraser.text import hidden, quoted

MAX_QUESTION = 1_000
"""Characters; the authors train on at most 512 tokens of question and answer together."""

MAX_ANSWER = 4_000
"""Characters; the authors generate at most 512 tokens."""

MAX_RATIO = 100
"""Of a picture's sides: the processors of Qwen-VL models refuse 200, others cut such a picture into very many parts."""

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
        """The problems with which the benchmark is not read."""
        return problems.errors(self.problems)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """The other problems."""
        return problems.warnings(self.problems)

    def by_rule(self) -> dict[tuple[str, str], list[Problem]]:
        """The problems of each (severity, rule): errors first, of these the most frequent."""
        found: dict[tuple[str, str], list[Problem]] = {}
        for problem in self.problems:
            found.setdefault((problem.severity, problem.rule), []).append(problem)
        return dict(sorted(found.items(), key=lambda item: (item[0][0], -len(item[1]))))


def check(
    reading: Reading,
    *,
    is_refusal: Callable[[str], bool],
    prepare: Callable[[Example], object] | None = None,
    progress: Progress | None = None,
    workers: int | None = None,
) -> Findings:
    """Check what was read; `is_refusal` says whether an answer is a refusal.

    A benchmark without errors is one that can be read, whose pictures all decode, and none of whose pictures are in two
    splits or harmful and safe at once. `prepare` makes of an example what a model is given, and raises UserError for
    one that the model refuses. What is wrong is returned, not raised. `workers` is how many pictures are decoded at a
    time (as many as there are cores unless given).
    """
    conclude(reading)
    named = uses(reading)
    decoded = decode_all(list(dict.fromkeys(use.path for use in named)), progress=progress, workers=workers)
    for use in named:
        seen = decoded[use.path]
        if isinstance(seen, str):
            use.spot.error("image", f"{quoted(use.name)}: {seen}")
        elif max(seen.size) > MAX_RATIO * min(seen.size):
            width, height = seen.size
            use.spot.warn("thin", f"{quoted(use.name)}: {width:,} x {height:,} pixels; some models refuse that")
    compare(named, decoded)
    _check_texts(reading.found, is_refusal)
    if not reading.shares_pictures:
        _check_repeated(reading.found)
    if prepare is not None:
        broken = {path for path, seen in decoded.items() if isinstance(seen, str)}
        _check_model([one for one in reading.found if one.example.image not in broken], prepare)
    counts = _counts(reading, len(decoded))
    return Findings(tuple(reading.problems()), counts)


def _check_texts(found: Iterable[Located], is_refusal: Callable[[str], bool]) -> None:
    for one in found:
        if one.example.stream != Stream.DECOUPLED or one.example.partner is None:  # else the forget example's question
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


def _check_repeated(found: Iterable[Located]) -> None:
    first: dict[str, tuple[Split, Spot]] = {}
    for one in found:
        if one.example.stream != Stream.DECOUPLED:
            folded = " ".join(one.example.question.casefold().split())
            split, spot = first.setdefault(folded, (one.example.split, one.question))
            if split != one.example.split:
                one.question.warn("repeated", f"asked in {split} too ({spot.record}): {quoted(one.example.question)}")


def _check_model(found: Iterable[Located], prepare: Callable[[Example], object]) -> None:
    for one in found:
        try:
            prepare(one.example)
        except UserError as error:
            one.question.error("model", str(error))


def _counts(reading: Reading, images: int) -> dict[str, int]:
    examples = Counter((one.example.split, one.example.stream) for one in reading.found)
    return {
        "records": len({(one.question.file, one.question.number) for one in reading.found}),
        "images": images,
        **({"unused images": _check_unused(reading)} if reading.whole else {}),
        "refusals": len(reading.refusals),
        **{f"{split}/{stream}": examples[split, stream] for split in Split for stream in Stream},
    }


def _check_unused(reading: Reading) -> int:
    """Count the pictures that no record names; links are not followed."""
    known = reading.pictures.named()
    paths = (Path(place, name) for place, _, names in os.walk(reading.root) for name in names)
    found = sorted(path for path in paths if path.suffix.lower() in _PICTURE_SUFFIXES and path not in known)
    if found:
        some = ", ".join(quoted(path.relative_to(reading.root).as_posix()) for path in found[:3])
        reading.spot().warn("unused", f"{len(found)} pictures that no record names, such as {some}")
    return len(found)

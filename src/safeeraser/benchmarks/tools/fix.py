"""Write a cleaned copy of a benchmark, and a list of what was left out; the original is never changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from safeeraser.benchmarks.benchmark import Benchmark
from safeeraser.benchmarks.reading.problems import BenchmarkError, Problem, Spot, errors
from safeeraser.benchmarks.reading.reading import Located, Reading
from safeeraser.benchmarks.tools.check import check
from safeeraser.benchmarks.tools.decode import Progress
from safeeraser.benchmarks.tools.export import require_outside, write_parquet, write_released
from safeeraser.errors import UserError, unknown
from safeeraser.files import whole_folder, write_text

LEFT_OUT = "left_out.jsonl"
"""The list in the cleaned copy: one line for each problem that cost something."""

ALSO = ("leak", "role", "duplicate", "repeated", "refusal", "long", "control", "thin", "empty")
"""The rules whose warnings, too, can be left out."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What a problem cost: these examples, or what could not even be read where there are none."""

    problem: Problem
    examples: tuple[str, ...]

    def to_json(self) -> str:
        """This as one line of JSON."""
        return json.dumps({"left_out": self.examples, **self.problem.to_dict()}, ensure_ascii=False)


def fix(
    reading: Reading,
    target: Path,
    *,
    is_refusal: Callable[[str], bool],
    also: Collection[str] = (),
    progress: Progress | None = None,
    workers: int | None = None,
) -> tuple[LeftOut, ...]:
    """Write what was read without what `check` finds wrong into `target`, a new folder; `also` names rules of warnings.

    A benchmark in the released layout stays in it; others become Parquet, which holds everything. The copy holds the
    pictures it needs, `left_out.jsonl`, and no error that `check` would find. It appears at once when it is complete.

    Raises UserError where the target is not a new folder outside the source, or a rule is unknown, and BenchmarkError
    where nothing is left. Of a record in the released layout that has lost all about its picture, nothing is kept.
    """
    for rule in also:
        if rule not in ALSO:
            raise UserError(unknown("rule", rule, ALSO))
    require_outside(target, reading.root)
    findings = check(reading, is_refusal=is_refusal, progress=progress, workers=workers)
    costly = [one for one in findings.problems if one.severity == "error" or one.rule in also]
    kept, left_out = _leave_out(reading.found, costly)
    if reading.whole:
        kept, pictureless = _leave_out_pictureless(kept)
        left_out += pictureless
    if not kept:
        raise BenchmarkError(errors(findings.problems) or costly)
    examples = tuple(one.example for one in kept)
    clean = Benchmark(reading.name, reading.root, examples, tuple(reading.refusals), (), hash="")
    with whole_folder(target) as scratch:
        if reading.whole:
            write_released(clean, scratch)
        else:
            write_parquet(clean, scratch)
        write_text(scratch / LEFT_OUT, "".join(f"{one.to_json()}\n" for one in left_out))
    return tuple(left_out)


def _leave_out(found: Sequence[Located], costly: Sequence[Problem]) -> tuple[list[Located], list[LeftOut]]:
    """What is left, and what each problem cost; a decoupled example goes with its partner."""
    records: dict[tuple[Path, int | None], list[Located]] = {}
    for one in found:
        records.setdefault((one.question.file, one.question.number), []).append(one)
    left_out = []
    for problem in costly:
        place = (problem.file, problem.number)
        own = records.get(place, [])
        kept = [one for one in own if not _spoils(problem, one)]
        asked = {one.example.id for one in kept}
        kept = [one for one in kept if one.example.partner is None or one.example.partner in asked]
        left_out.append(LeftOut(problem, tuple(one.example.id for one in own if one not in kept)))
        if own:
            records[place] = kept
    return [one for own in records.values() for one in own], left_out


def _leave_out_pictureless(kept: Sequence[Located]) -> tuple[list[Located], list[LeftOut]]:
    """The same without what is left of records that have lost all about their picture.

    The released layout names every record after its picture.
    """
    pictured = {(one.question.file, one.question.number) for one in kept if one.example.image is not None}
    lost: dict[tuple[Path, int | None], list[Located]] = {}
    for one in kept:
        if (place := (one.question.file, one.question.number)) not in pictured:
            lost.setdefault(place, []).append(one)
    said = "nothing is left about the picture, which the record is named after"
    left_out = [
        LeftOut(
            Problem(place, own[0].question.record, (), said, "warning", "part", number),
            tuple(one.example.id for one in own),
        )
        for (place, number), own in lost.items()
    ]
    return [one for one in kept if (one.question.file, one.question.number) in pictured], left_out


def _spoils(problem: Problem, one: Located) -> bool:
    places: tuple[Spot, ...] = (one.question, one.answer, one.image)
    return any(place.path[: len(problem.path)] == problem.path for place in places)

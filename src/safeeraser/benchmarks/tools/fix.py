"""Write a cleaned copy of a benchmark, and a list of what was left out; the original is never changed."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safeeraser.benchmarks.reading.folder import relative
from safeeraser.benchmarks.reading.problems import BenchmarkError, Problem, errors
from safeeraser.benchmarks.reading.strict_json import REPORTED
from safeeraser.benchmarks.released.read import Scan, scan
from safeeraser.benchmarks.released.rows import IMAGE_KEYS, RETAIN_KEY, Row
from safeeraser.benchmarks.tools.check import examine
from safeeraser.benchmarks.tools.look import Progress
from safeeraser.errors import UserError, unknown
from safeeraser.files import require_new, whole_folder, write_text

LEFT_OUT = "left_out.jsonl"
"""The list in the cleaned copy: one line for each problem that cost something."""

ALSO = ("leak", "role", "duplicate", "repeated", "refusal", "long", "control")
"""The rules whose warnings, too, can be left out."""

_FIELD = re.compile(r"(?P<part>\w+)(?:\[(?P<index>\d+)\])?(?:\.(?P<key>\w+|['\"].*))?.*")
_RECORD_NEEDS = (*IMAGE_KEYS, "id")
_PAIR_NEEDS = frozenset((None, "question", "model_response", "Question", "Prediction", "Answer", "image"))


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What a problem cost: "record", "pair", "PD pairs", "PD pair", "key", or "text" for what was no record."""

    problem: Problem
    what: str

    def to_json(self) -> str:
        return json.dumps({"left_out": self.what} | self.problem.to_dict(), ensure_ascii=False)


def fix(
    source: Path,
    target: Path,
    *,
    is_refusal: Callable[[str], bool],
    also: Collection[str] = (),
    progress: Progress | None = None,
    workers: int | None = None,
) -> tuple[LeftOut, ...]:
    """Write `source` without what `check` finds wrong into `target`, a new folder; `also` names rules of warnings.

    The copy holds the pictures its records name, `left_out.jsonl`, and no error that `check` would find. It appears
    at once when it is complete, never in part.

    Raises UserError where the target is not a new folder outside the source, or a rule is unknown, and BenchmarkError
    where nothing is left.
    """
    _refuse(source, target, also)
    findings, scanned = examine(source, is_refusal=is_refusal, progress=progress, workers=workers)
    costly = [one for one in findings.problems if one.severity == "error" or one.rule in also]
    left_out = list(_leave_out(scanned, costly))
    if not any(scanned.rows.values()):
        raise BenchmarkError(errors(findings.problems) or costly)
    with whole_folder(target) as scratch:
        _write(scanned, left_out, scratch)
    return tuple(left_out)


def _refuse(source: Path, target: Path, also: Collection[str]) -> None:
    for rule in also:
        if rule not in ALSO:
            raise UserError(unknown("rule", rule, ALSO))
    if target.resolve().is_relative_to(source.resolve()):
        raise UserError(f"{target} is inside {source}, which is never changed; name a folder elsewhere")
    require_new(target)


def _leave_out(scanned: Scan, costly: Iterable[Problem]) -> Iterator[LeftOut]:
    """Take what the problems name out of the scanned rows, and say what went."""
    rows = {(row.spot.file, row.spot.record): row for rows in scanned.rows.values() for row in rows}
    gone: set[tuple[Path, str | None]] = set()
    for problem in costly:
        place = (problem.file, problem.record)
        what = _cut(rows[place].data, problem.field) if place in rows else "text"
        if what == "record":
            gone.add(place)
        yield LeftOut(problem, what)
    for split, found in scanned.rows.items():
        kept = [row for row in found if (row.spot.file, row.spot.record) not in gone]
        for row in kept:
            _prune(row.data)
        scanned.rows[split] = [row for row in kept if _has_pairs(row)]
        for row in kept:
            if not _has_pairs(row):
                reason = Problem(row.spot.file, row.spot.record, None, "no pairs left", "error", "part")
                yield LeftOut(reason, "record")


def _cut(data: dict[str, Any], field: str | None) -> str:
    """Mark or remove the smallest part of a record that a problem's field spoils; say which part that is."""
    match = _FIELD.fullmatch(field or "")
    part, index, key = match.group("part", "index", "key") if match else (None, None, None)
    if field is None or part in _RECORD_NEEDS:
        return "record"
    if part == "SDImage_path":
        return _cut_decoupled(data)
    if part == "unsafe_pairs" and index is not None:
        return _cut_pair(data[part], int(index), key)
    if part is not None and RETAIN_KEY.fullmatch(part):
        return _cut_pair(data, part, key)
    if part is not None:
        data.pop(part, None)
    return "key"  # one that nobody reads: `_prune` removes it


def _cut_pair(holder: Any, place: int | str, key: str | None) -> str:
    pair = holder[place]
    if key in _PAIR_NEEDS or not isinstance(pair, dict):
        holder[place] = REPORTED
        return "pair"
    pair.pop(key, None)
    return "PD pair" if key == "sd_response" else "key"


def _cut_decoupled(data: dict[str, Any]) -> str:
    for key in ("SDImage_path", "safe_keyword"):
        data.pop(key, None)
    pairs = data.get("unsafe_pairs")
    for pair in pairs if isinstance(pairs, list) else ():
        if isinstance(pair, dict):
            pair.pop("sd_response", None)
    return "PD pairs"


def _prune(value: Any) -> None:
    """Remove, at any depth, the values that were reported and could not be read."""
    if isinstance(value, dict):
        for key in [key for key, inside in value.items() if inside is REPORTED]:
            del value[key]
    elif isinstance(value, list):
        value[:] = [inside for inside in value if inside is not REPORTED]
    for inside in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _prune(inside)


def _has_pairs(row: Row) -> bool:
    return any(row.unsafe_pairs()) or any(row.retain_pairs())


def _write(scanned: Scan, left_out: Iterable[LeftOut], target: Path) -> None:
    for split, rows in scanned.rows.items():
        path = target / scanned.files[split].relative_to(scanned.folder.root)
        records = [row.data for row in rows]
        write_text(path, _lines(records) if path.suffix == ".jsonl" else _dump(records, indent=1))
        for row in rows:
            for name in (row.image()[1], row.data.get("SDImage_path")):
                if name:
                    _copy(scanned.pictures.find(name), target / relative(name))
    if scanned.prompts:
        prompts = target / scanned.prompts.relative_to(scanned.folder.root)
        write_text(prompts, _dump({"idk": scanned.refusals}, indent=1))
    write_text(target / LEFT_OUT, "".join(one.to_json() + "\n" for one in left_out))
    assert not errors(scan(target).problems()), "a cleaned copy has no errors"


def _copy(source: Path, target: Path) -> None:
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def _lines(records: Iterable[Any]) -> str:
    return "".join(_dump(record) + "\n" for record in records)


def _dump(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)

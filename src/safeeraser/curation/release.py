"""Stage 7: the benchmark in the released layout, with what was found on the way and a sheet to look at."""

from __future__ import annotations

import math
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from safeeraser.benchmarks.reading.problems import BenchmarkError
from safeeraser.benchmarks.released import read as released
from safeeraser.benchmarks.released.write import write as write_layout
from safeeraser.benchmarks.tools.cards import cards
from safeeraser.benchmarks.tools.check import check
from safeeraser.benchmarks.tools.sheet import contact_sheet
from safeeraser.curation.findings import RULES, Gate
from safeeraser.curation.judging import Pair
from safeeraser.curation.pictures import Picture
from safeeraser.curation.prompts import Role
from safeeraser.curation.splits import Placed
from safeeraser.errors import UserError
from safeeraser.files import whole_folder, write_json, write_text
from safeeraser.judges.rules import is_refusal
from safeeraser.pixels import format_of, read_bytes
from safeeraser.records import Example, Split, Stream

_PAIRS = {Role.FORGET: "forget", Role.RETAIN_TEXT: "text", Role.RETAIN_IMAGE: "image"}
FINDINGS, REPORT, SAMPLE, SETTINGS = "findings.jsonl", "report.md", "sample.html", "built.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """All that a benchmark consists of."""

    placed: Sequence[Placed]
    partners: Mapping[Picture, Picture]
    pairs: Mapping[Picture, Sequence[Pair]]
    refusals: Sequence[str]


def write(
    draft: Draft,
    gate: Gate,
    target: Path,
    *,
    built: Mapping[str, Any],
    sample: int,
) -> dict[str, int]:
    """Write the benchmark into `target`, whole or not at all; returns the counts of its own check.

    A record without a harmful pair is left out. Raises UserError where none is left, and BenchmarkError where the
    check finds an error.
    """
    kept = _kept(draft, gate)
    with whole_folder(target) as scratch:
        ordered = [one for split in Split for one in kept if one.split is split]
        examples = [example for one in ordered for example in _record(one, draft, scratch)]
        write_layout(scratch, examples, draft.refusals, Path.as_posix)
        findings = check(released.scan(scratch), is_refusal=is_refusal)
        if findings.errors:
            raise BenchmarkError(findings.errors)
        write_text(scratch / FINDINGS, "".join(one.to_json() + "\n" for one in gate.findings))
        write_json(scratch / SETTINGS, built)
        write_text(scratch / REPORT, _report(target.name, findings.counts, gate))
        _write_sample(target.name, scratch, sample)
    return findings.counts


def _kept(draft: Draft, gate: Gate) -> list[Placed]:
    """The records that have a harmful pair. Raises UserError where there are none, with what the gate found."""
    kept = []
    for one in draft.placed:
        if any(pair.question.role is Role.FORGET for pair in draft.pairs[one.picture]):
            kept.append(one)
        else:
            gate.passes(one.picture.name, None, "part", "no harmful pair is left", cost="record")
    if not kept:
        found = ", ".join(f"{rule} {costs.total()}" for rule, costs in gate.counts().items())
        raise UserError(f"nothing is left of {len(draft.placed)} records; the quality gate found: {found}")
    return kept


def _record(one: Placed, draft: Draft, folder: Path) -> Iterator[Example]:
    """The examples of a record, their pictures copied into the folder and named by their place there."""
    picture, partner = one.picture, draft.partners[one.picture]
    image = _copy(picture, folder, f"img/{picture.category}")
    safe = _copy(partner, folder, f"pdset/image/{one.split}")
    record = image.with_suffix("").as_posix()
    numbers = Counter[Role]()
    for pair in draft.pairs[picture]:
        role = pair.question.role
        numbers[role] += 1
        about_picture = role is not Role.RETAIN_TEXT
        first = Example(
            id=f"{one.split}/{record}/{_PAIRS[role]}{numbers[role]}",
            split=one.split,
            stream=Stream.FORGET if role is Role.FORGET else Stream.RETAIN,
            image=image if about_picture else None,
            question=pair.question.text,
            answer=pair.answer,
            category=picture.category,
            keyword=picture.keyword if about_picture else None,
            subset=one.subset,
            kind=None if about_picture else "text",
            record=record,
            pair=f"{_PAIRS[role]}{numbers[role]}",
        )
        yield first
        if pair.safe_answer is not None:
            yield replace(
                first,
                id=f"{one.split}/{record}/decoupled{numbers[role]}",
                stream=Stream.DECOUPLED,
                image=safe,
                answer=pair.safe_answer,
                partner=first.id,
                keyword=partner.keyword,
                pair=f"decoupled{numbers[role]}",
            )


def _copy(picture: Picture, folder: Path, place: str) -> Path:
    """Copy a picture, named by its bytes; returns its path in the benchmark."""
    kind = format_of(read_bytes(picture.path)).lower().replace("jpeg", "jpg")
    name = Path(place, f"{picture.sha256[:16]}.{kind}")
    if not (folder / name).exists():
        (folder / place).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(picture.path, folder / name)
    return name


def _write_sample(title: str, folder: Path, sample: int) -> None:
    found = cards(released.read(folder))
    categories = len({card.category for card in found})
    contact_sheet(f"{title}: for review", found, folder / SAMPLE, per_category=math.ceil(sample / categories))


def _report(name: str, counts: Mapping[str, int], gate: Gate) -> str:
    lines = [f"# {name}", "", "| what | count |", "|---|---|"]
    lines += [f"| {what} | {count:,} |" for what, count in counts.items()]
    lines += ["", f"What the quality gate found; each finding stands in `{FINDINGS}`.", ""]
    lines += ["| rule | meaning | found | left out |", "|---|---|---|---|"]
    for rule, costs in gate.counts().items():
        cost = ", ".join(f"{count} x {what}" for what, count in costs.items() if what != "nothing") or "nothing"
        lines.append(f"| {rule} | {RULES[rule]} | {costs.total()} | {cost} |")
    return "\n".join(lines) + "\n"

"""Stage 7: the benchmark in the released layout, with what was found on the way and a sheet to look at."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safeeraser.benchmarks.reading.problems import BenchmarkError
from safeeraser.benchmarks.released import read as released
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
from safeeraser.pixels import format_of, read_bytes
from safeeraser.records import Split

_FILES = {Split.TRAIN: "all_train.json", Split.SELECTION: "all_selection.json", Split.VALIDATION: "all_val.json"}
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
    is_refusal: Callable[[str], bool],
) -> dict[str, int]:
    """Write the benchmark into `target`, whole or not at all; returns the counts of its own check.

    A record without a harmful pair is left out. Raises UserError where none is left, and BenchmarkError where the
    check finds an error.
    """
    kept = _kept(draft, gate)
    with whole_folder(target) as scratch:
        for split in Split:
            rows = [_record(one, draft, scratch) for one in kept if one.split is split]
            if rows:
                write_json(scratch / "dataset" / _FILES[split], rows)
        write_json(scratch / "dataset" / "prompt.json", {"idk": list(draft.refusals)})
        findings = check(scratch, is_refusal=is_refusal)
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


def _record(one: Placed, draft: Draft, folder: Path) -> dict[str, Any]:
    picture, partner = one.picture, draft.partners[one.picture]
    values = {
        "keyword": picture.keyword,
        "category": picture.category,
        "subset": one.subset,
        "image_path": _copy(picture, folder, f"img/{picture.category}"),
        "SDImage_path": _copy(partner, folder, f"pdset/image/{one.split}"),
        "safe_keyword": partner.keyword,
    }
    known = {key: value for key, value in values.items() if value is not None}
    return {**known, "unsafe_pairs": _unsafe_pairs(draft.pairs[picture]), **_retain_pairs(draft.pairs[picture])}


def _unsafe_pairs(pairs: Sequence[Pair]) -> list[dict[str, str]]:
    found = []
    for pair in pairs:
        if pair.question.role is Role.FORGET:
            safe = {} if pair.safe_answer is None else {"sd_response": pair.safe_answer}
            found.append({"question": pair.question.text, "model_response": pair.answer, **safe})
    return found


def _retain_pairs(pairs: Sequence[Pair]) -> dict[str, dict[str, str | None]]:
    found: dict[str, dict[str, str | None]] = {}
    for role, name in ((Role.RETAIN_TEXT, "text"), (Role.RETAIN_IMAGE, "image")):
        own = [pair for pair in pairs if pair.question.role is role]
        for number, pair in enumerate(own, start=1):
            values: dict[str, str | None] = {"Question": pair.question.text, "Prediction": pair.answer}
            without = {"kind": "text", "image": None} if role is Role.RETAIN_TEXT else {}
            found[f"UnharmPair_{name}{number}"] = {**without, **values}
    return found


def _copy(picture: Picture, folder: Path, place: str) -> str:
    """Copy a picture, named by its bytes; returns its path in the benchmark."""
    kind = format_of(read_bytes(picture.path)).lower().replace("jpeg", "jpg")
    name = f"{place}/{picture.sha256[:16]}.{kind}"
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

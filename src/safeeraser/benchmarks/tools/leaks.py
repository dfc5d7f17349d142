"""What the pictures of a benchmark should not share: splits, roles, and content."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safeeraser.benchmarks.reading.folder import PathError
from safeeraser.benchmarks.reading.problems import Severity, Spot
from safeeraser.benchmarks.released.read import Scan
from safeeraser.benchmarks.tools.likeness import alike
from safeeraser.benchmarks.tools.look import Look
from safeeraser.records import Split
from safeeraser.text import quoted


@dataclass(frozen=True, slots=True)
class Use:
    """A record's naming of a picture. `role` is "harmful", "safe", or None in a record that only retains."""

    path: Path
    name: str
    split: Split
    role: str | None
    spot: Spot


def uses(scanned: Scan) -> Iterator[Use]:
    """Every naming of a picture that is there, by split and record."""
    for split, rows in scanned.rows.items():
        for row in rows:
            harmful = "harmful" if any(row.unsafe_pairs()) else None
            for key, role in ((row.image()[0], harmful), ("SDImage_path", "safe")):
                name = row.data.get(key)
                path = _found(scanned, name) if isinstance(name, str) else None
                if path:
                    yield Use(path, str(name), split, role, row.spot.at(key))


def _found(scanned: Scan, name: str) -> Path | None:
    try:
        return scanned.pictures.find(name)
    except PathError:
        return None  # reported by the reader


def compare(found: Sequence[Use], looks: Mapping[Path, Look | str]) -> None:
    """Report pictures that are the same, or look the same, where they should not be."""
    groups: dict[str, list[Use]] = {}
    likenesses = []
    for use in found:
        seen = looks[use.path]
        if isinstance(seen, Look):
            if seen.sha256 not in groups:
                likenesses.append(seen.likeness)
            groups.setdefault(seen.sha256, []).append(use)
    for group in groups.values():
        _same_bytes(group)
    _look_alike(list(groups.values()), likenesses)


def _same_bytes(group: Sequence[Use]) -> None:
    first = group[0]
    for use in group[1:]:
        rule = _clash(first, use)
        if rule is None and use.path != first.path:
            rule = "duplicate"
        if rule:
            _report(use, rule, "error" if rule in ("leak", "role") else "warning", f"the same picture as {_of(first)}")


def _look_alike(groups: Sequence[Sequence[Use]], likenesses: Sequence[Any]) -> None:
    """One warning a picture: the gravest of what it looks like."""
    gravest: dict[int, tuple[int, str, Use]] = {}
    order = ("leak", "role", "duplicate")
    labels = [(group[0].split, group[0].role) for group in groups]
    for later, earlier in alike(likenesses, labels):
        other = groups[earlier][0]
        rule = _clash(other, groups[later][0]) or "duplicate"
        candidate = (order.index(rule), rule, other)
        gravest[later] = min(gravest.get(later, candidate), candidate, key=lambda one: one[0])
    for later, (_, rule, other) in gravest.items():
        for use in groups[later]:
            _report(use, rule, "warning", f"looks like {_of(other)}")


def _clash(first: Use, other: Use) -> str | None:
    if first.split != other.split:
        return "leak"
    return "role" if {first.role, other.role} == {"harmful", "safe"} else None


def _of(use: Use) -> str:
    return f"{quoted(use.name)} in {use.split}" + (f" ({use.role})" if use.role else "")


def _report(use: Use, rule: str, severity: Severity, message: str) -> None:
    (use.spot.error if severity == "error" else use.spot.warn)(rule, message)

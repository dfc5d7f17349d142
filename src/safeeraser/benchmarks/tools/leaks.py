"""What the pictures of a benchmark should not share: splits, roles, and content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safeeraser.benchmarks.reading.problems import Severity, Spot
from safeeraser.benchmarks.reading.reading import Reading
from safeeraser.benchmarks.tools.decode import Decoded
from safeeraser.benchmarks.tools.perceptual_hash import alike
from safeeraser.records import Split, Stream
from safeeraser.text import quoted

_ROLES = {Stream.FORGET: "harmful", Stream.DECOUPLED: "safe"}


@dataclass(frozen=True, slots=True)
class Use:
    """A record's naming of a picture. `role` is "harmful", "safe", or None in a record that only retains."""

    path: Path
    name: str
    split: Split
    role: str | None
    spot: Spot


def uses(reading: Reading) -> list[Use]:
    """Each record's naming of each of its pictures in each role.

    What is retained about a picture gives it no role beside another in the same record. Where the source shares
    pictures, splits are not told apart.
    """
    found: dict[tuple[Path, int | None, Path], dict[str | None, Use]] = {}
    for one in reading.found:
        example = one.example
        if example.image is not None:
            inside = example.image.is_relative_to(reading.root)
            name = example.image.relative_to(reading.root).as_posix() if inside else example.image.name
            split = Split.TRAIN if reading.shares_pictures else example.split
            use = Use(example.image, name, split, _ROLES.get(example.stream), one.image)
            found.setdefault((one.image.file, one.image.number, example.image), {}).setdefault(use.role, use)
    return [use for roles in found.values() for role, use in roles.items() if role or len(roles) == 1]


def compare(found: Sequence[Use], decoded: Mapping[Path, Decoded | str]) -> None:
    """Report pictures that are the same, or look the same, where they should not be."""
    groups: dict[str, list[Use]] = {}
    hashes = []
    for use in found:
        seen = decoded[use.path]
        if isinstance(seen, Decoded):
            if seen.sha256 not in groups:
                hashes.append(seen.hash)
            groups.setdefault(seen.sha256, []).append(use)
    for group in groups.values():
        _same_bytes(group)
    _look_alike(list(groups.values()), hashes)


def _same_bytes(group: Sequence[Use]) -> None:
    """Compare each with the first, and where they can be together with the first that is harmful or safe."""
    first = group[0]
    with_role = next((use for use in group if use.role), first)
    for use in group[1:]:
        other = first if _clash(first, use) else with_role
        rule = _clash(other, use)
        if rule is None and use.path != first.path:
            rule, other = "duplicate", first
        if rule:
            _report(use, rule, "error" if rule in ("leak", "role") else "warning", f"the same picture as {_of(other)}")


def _look_alike(groups: Sequence[Sequence[Use]], hashes: Sequence[Any]) -> None:
    """One warning a picture: the gravest of what it looks like."""
    gravest: dict[int, tuple[int, str, Use]] = {}
    order = ("leak", "role", "duplicate")
    labels = [(group[0].split, group[0].role) for group in groups]
    for later, earlier in alike(hashes, labels):
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

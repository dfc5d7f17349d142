"""Writer of the released SafeEraser layout (docs/data.md): every benchmark that this package writes in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from safeeraser.benchmarks.reading.reading import PROMPTS
from safeeraser.benchmarks.released.read import FILES
from safeeraser.errors import UserError
from safeeraser.files import write_json
from safeeraser.records import Example, Split, Stream
from safeeraser.text import quoted

Named = Callable[[Path], str]
"""A picture's path below the benchmark's folder."""


class LayoutError(UserError):
    """An example that the released layout has no place for; the message names it."""

    def __init__(self, example: Example, why: str) -> None:
        super().__init__(f"{quoted(example.id)}: the released layout cannot hold it: {why}; parquet can")


def write(folder: Path, examples: Iterable[Example], refusals: Sequence[str], named: Named) -> None:
    """Write `dataset/*.json` into a folder, records and pairs in their order; the pictures are the caller's.

    Forget pairs are numbered anew, in their order. Raises LayoutError for an example without a place.
    """
    records: dict[Split, dict[str, list[Example]]] = {}
    for example in examples:
        if example.record is None or example.pair is None:
            raise LayoutError(example, "it belongs to no record")
        records.setdefault(example.split, {}).setdefault(example.record, []).append(example)
    for split, groups in records.items():
        rows = [_record(name, group, named) for name, group in groups.items()]
        write_json(folder / "dataset" / f"{FILES[split]}.json", rows)
    if refusals:
        write_json(folder / "dataset" / PROMPTS, {"idk": list(refusals)})


def _record(name: str, group: Sequence[Example], named: Named) -> dict[str, Any]:
    """A record, with the optional keys where they say something."""
    own = [one for one in group if one.stream is not Stream.DECOUPLED]
    pictured = next((one for one in own if one.image), None)
    if pictured is None or pictured.image is None:
        raise LayoutError(group[0], "its record has no picture to be named after")
    safe = {one.partner: one for one in group if one.stream is Stream.DECOUPLED}
    partner = next(iter(safe.values()), None)
    forget = [one for one in own if one.stream is Stream.FORGET]
    alone = [one for partner, one in safe.items() if partner not in {one.id for one in forget}]
    if alone:
        raise LayoutError(alone[0], "it has no forget example as its partner")
    optional = {
        "keyword": pictured.keyword,
        "category": pictured.category,
        "subset": pictured.subset,
        "SDImage_path": named(partner.image) if partner and partner.image else None,
        "safe_keyword": partner.keyword if partner else None,
    }
    return {
        "id": name,
        "image_path": named(pictured.image),
        **{key: value for key, value in optional.items() if value is not None},
        "unsafe_pairs": [_unsafe_pair(one, safe.get(one.id)) for one in forget],
        **{f"UnharmPair_{one.pair}": _retain_pair(one) for one in own if one.stream is Stream.RETAIN},
    }


def _unsafe_pair(forget: Example, decoupled: Example | None) -> dict[str, str]:
    pair = {"question": forget.question, "model_response": forget.answer}
    pair |= {"sd_response": decoupled.answer} if decoupled else {}
    return pair | ({"kind": forget.kind} if forget.kind is not None else {})


def _retain_pair(example: Example) -> dict[str, Any]:
    pair: dict[str, Any] = {"Question": example.question, "Prediction": example.answer}
    pair |= {"kind": example.kind} if example.kind is not None else {}
    return pair | ({"image": None} if example.image is None else {})

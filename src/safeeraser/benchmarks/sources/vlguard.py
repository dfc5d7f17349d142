"""VLGuard (arXiv 2402.02207): harmful pictures, and harmless ones with a harmless and a harmful instruction each.

Published as ys-zong/VLGuard, on GitHub (in `data/`) and on the Hugging Face Hub, with these files; the pictures may be
left in their archives, or unpacked:

    train.json, test.json                         lists of {id, image, safe, harmful_category, harmful_subcategory,
                                                  instr-resp: [{instruction | safe_instruction | unsafe_instruction,
                                                  response}]}
    train.zip or train/<image>, test.zip or test/<image>

The authors' `utils/utils.py` reads the three kinds of instruction so. Responses to harmful instructions are refusals:
they become refusals to train towards, not answers to forget.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from safeeraser.benchmarks.benchmark import Benchmark, finish
from safeeraser.benchmarks.reading.fields import optional_text, text, typed
from safeeraser.benchmarks.reading.hub import located
from safeeraser.benchmarks.reading.problems import Spot
from safeeraser.benchmarks.reading.reading import Reading, read_refusals
from safeeraser.benchmarks.reading.tables import Entry, json_entries
from safeeraser.records import Example, Split, Stream
from safeeraser.text import quoted

_FILES = {"train": Split.TRAIN, "test": Split.VALIDATION}
_HARMFUL = {"instruction": "harmful picture", "unsafe_instruction": "harmful instruction"}
"""The kind of a forget example, by the key of its instruction."""


class _Pair(NamedTuple):
    """One instruction of a record: its key, which says how harmful it is, its text, and the response."""

    key: str
    instruction: str
    response: str
    spot: Spot


def read(path: Path) -> Benchmark:
    """Read a folder or Hub data set. Raises BenchmarkError with every error in it."""
    return finish(scan(path))


def scan(path: Path) -> Reading:
    """Read a folder or Hub data set, and report instead of raise."""
    root, name = located(path, ("*.json", "*.zip"))
    reading = Reading(root, name)
    read_refusals(reading)
    own: list[str] = []
    for stem, split in _FILES.items():
        if reading.has(f"{stem}.json"):
            for entry in json_entries(reading, f"{stem}.json"):
                own += _record(reading, stem, split, entry)
    if not reading.found and not reading.problems():
        reading.spot().error("file", "neither train.json nor test.json")
    reading.refusals = reading.refusals or list(dict.fromkeys(own))
    return reading


def _record(reading: Reading, stem: str, split: Split, entry: Entry) -> list[str]:
    """Take a record's examples; returns its refusals, if it may be trained on."""
    data, spot = entry.data, entry.spot
    image, safe = text(data, "image", spot), typed(data.get("safe"), bool, spot.at("safe"))
    picture = reading.picture(f"{stem}/{image}", spot.at("image")) if image else None
    refusals = []
    for number, pair in enumerate(_pairs(data, spot), start=1):
        harmful = pair.key in _HARMFUL
        if safe is not None and safe == (pair.key == "instruction"):
            pair.spot.at(pair.key).error("type", f"{pair.key} on a picture that is {'' if safe else 'not '}safe")
        elif picture is not None:
            example = Example(
                id=f"{split}/{stem}/{entry.number}/{'forget' if harmful else 'retain'}{number}",
                split=split,
                stream=Stream.FORGET if harmful else Stream.RETAIN,
                image=picture,
                question=pair.instruction,
                answer="" if harmful else pair.response,
                category=optional_text(data, "harmful_category", spot),
                kind=_HARMFUL.get(pair.key),
            )
            reading.add(example, pair.spot, question=pair.key, answer="response")
            refusals += [pair.response] if harmful and split is Split.TRAIN else []
    return refusals


def _pairs(data: dict[str, Any], spot: Spot) -> Iterator[_Pair]:
    for index, pair in enumerate(typed(data.get("instr-resp"), list, spot.at("instr-resp")) or []):
        place = spot.at("instr-resp", index)
        if typed(pair, dict, place) is None:
            continue
        key = next((key for key in (*_HARMFUL, "safe_instruction") if key in pair), None)
        if key is None:
            place.error("missing", f"no instruction among {', '.join(map(quoted, pair)) or 'its keys'}")
            continue
        instruction, response = text(pair, key, place), text(pair, "response", place)
        if instruction is not None and response is not None:
            yield _Pair(key, instruction, response, place)

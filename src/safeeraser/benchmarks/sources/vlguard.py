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

from pathlib import Path

from safeeraser.benchmarks.reading.fields import answer, optional_text, text, typed
from safeeraser.benchmarks.reading.reading import Reading
from safeeraser.benchmarks.reading.tables import Entry, json_entries
from safeeraser.records import Split, Stream
from safeeraser.text import quoted

_FILES = {"train": Split.TRAIN, "test": Split.VALIDATION}
_HARMFUL = {"instruction": "harmful picture", "unsafe_instruction": "harmful instruction"}
"""The kind of a forget example, by the key of its instruction."""


def scan(path: Path) -> Reading:
    """Read a folder or Hub data set, and report instead of raise."""
    reading = Reading.of(path, ("*.json", "*.zip"), expects="train.json or test.json")
    own: list[str] = []
    for stem, split in _FILES.items():
        if reading.has(f"{stem}.json"):
            for entry in json_entries(reading, f"{stem}.json"):
                own += _record(reading, stem, split, entry)
    reading.refusals = reading.refusals or list(dict.fromkeys(own))
    return reading


def _record(reading: Reading, stem: str, split: Split, entry: Entry) -> list[str]:
    """Take a record's examples; returns its refusals, if it may be trained on."""
    entry_number, data, spot = entry
    name, safe = text(data, "image", spot), typed(data.get("safe"), bool, spot.at("safe"))
    image = reading.picture(f"{stem}/{name}", spot.at("image")) if name else None
    refusals = []
    for index, pair in enumerate(typed(data.get("instr-resp"), list, spot.at("instr-resp")) or []):
        place = spot.at("instr-resp", index)
        if typed(pair, dict, place) is None:
            continue
        key = next((key for key in (*_HARMFUL, "safe_instruction") if key in pair), None)
        if key is None:
            place.error("missing", f"no instruction among {', '.join(map(quoted, pair)) or 'its keys'}")
            continue
        instruction, response, harmful = text(pair, key, place), answer(pair, "response", place), key in _HARMFUL
        if safe is None:
            continue
        if safe == (key == "instruction"):
            place.at(key).error("type", f"{key} on a picture that is {'' if safe else 'not '}safe")
        elif image is not None and response is not None:
            reading.add(
                place,
                split=split,
                stream=Stream.FORGET if harmful else Stream.RETAIN,
                record=f"{stem}/{entry_number}",
                pair=f"{'forget' if harmful else 'retain'}{index + 1}",
                image=image,
                question=instruction,
                answer="" if harmful else response,
                keys=(key, "response"),
                image_at=spot.at("image"),
                category=optional_text(data, "harmful_category", spot),
                kind=_HARMFUL.get(key),
            )
            refusals += [response] if harmful and response and split is Split.TRAIN else []
    return refusals

"""Records with only what a test of metrics is about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safeeraser.records import Axis, Example, Generation, Split, Stream, Verdict


def example(id: str, split: str = "validation", stream: str = "forget", **fields: Any) -> Example:
    image = fields.pop("image", None)
    values = {"question": f"{id}?", "answer": "reference", "image": image and Path(image), **fields}
    return Example(id=id, split=Split(split), stream=Stream(stream), **values)


def generation(example_id: str, sample: int = 0, answer: str = "an answer") -> Generation:
    return Generation(example_id=example_id, sample=sample, answer=answer, finish="stop")


def verdict(example_id: str, sample: int = 0, axis: str = "unsafe", value: float | None = 1) -> Verdict:
    return Verdict(example_id=example_id, sample=sample, judge="j@1", axis=Axis(axis), value=value)

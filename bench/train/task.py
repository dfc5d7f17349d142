"""What both recipes train: the same rows, the same weights, the same settings."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from safeeraser.benchmarks import icons
from safeeraser.benchmarks.released import read as released
from safeeraser.records import Example, Split, Stream
from safeeraser.unlearning.settings import UnlearnSettings

KL = ("kl", "kl+pd")
"""Methods that compare with the model before unlearning."""
PAIRS = 4  # forget questions about each harmful picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One recipe's work. `rows` is what an optimiser step sees, `batch` how many of them we put into one forward.

    Questions about one picture follow each other; with `packed` they share its tokens.

    The data is `records` records of `icons`, each a harmful picture and a safe one, over and over: an epoch of the
    forget set is `records` x 4 rows.
    """

    recipe: str
    method: str
    model: str
    device: str
    dtype: str
    steps: int
    rows: int
    batch: int
    records: int
    checkpointing: bool
    packed: bool
    count: bool

    @property
    def settings(self) -> UnlearnSettings:
        """The paper's, without dropout, whose draws depend on how rows are batched."""
        return UnlearnSettings(
            steps=self.steps,
            batch_size=self.batch,
            accumulation=self.rows // self.batch,
            lora_r=32,
            lora_alpha=256,
            lora_dropout=0.0,
            projector="full",
            gradient_checkpointing=self.checkpointing,
            pack_pictures=True,
        )


class Trained(NamedTuple):
    """What a recipe did: losses of all steps, the moments of start and steps (see `now`), how much it trained."""

    losses: list[float]
    moments: list[tuple[float, float]]
    numbers: int


def now() -> tuple[float, float]:
    """Seconds of the clock, and of all processor cores for this process."""
    return time.perf_counter(), time.process_time()


def data(records: int) -> tuple[list[Example], tuple[str, ...]]:
    """Train examples of a few records of `icons`, and the refusals."""
    folder = Path(tempfile.gettempdir()) / "safeeraser-bench-icons"
    if not folder.exists():
        icons.build(folder, scale=0.02)
    benchmark = released.read(folder)
    train = [each for each in benchmark.examples if each.split is Split.TRAIN]
    forget = [each for each in train if each.stream is Stream.FORGET][: records * PAIRS]
    return [*forget, *_company(train, forget)], tuple(benchmark.refusals)


def _company(train: Sequence[Example], forget: Sequence[Example]) -> list[Example]:
    """The partners of forget examples, and the retain examples of their records."""
    names, records = {each.id for each in forget}, {each.record for each in forget}
    return [
        each
        for each in train
        if (each.stream is Stream.DECOUPLED and each.partner in names)
        or (each.stream is Stream.RETAIN and each.record in records)
    ]

"""What all recipes train: the same rows, the same weights, the same settings."""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from safeeraser.benchmarks import icons
from safeeraser.benchmarks.released import read as released
from safeeraser.objectives import find
from safeeraser.records import Example, Split, Stream
from safeeraser.unlearning.rows import TrainingRows
from safeeraser.unlearning.settings import UnlearnSettings

KL = ("kl", "kl+pd")
"""Methods that compare with the model before unlearning."""
PAIRS = 4  # forget questions about each harmful picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One recipe's work. `rows` is what an optimiser step sees, `batch` how many of them go into one forward.

    Questions about one picture follow each other; with `packed` they share its tokens.

    The data is `records` records of `icons`, each a harmful picture and a safe one, over and over: an epoch of the
    forget set is `records` x 4 rows. With `count` the operations of the last step are counted, and it is not timed.
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


class Clock:
    """The loss of each step, its time by the clock and of all processor cores, and what else a recipe tells of itself.

    Where asked, the operations of the last step are counted, which takes time: that step is not timed.
    """

    def __init__(self, task: Task) -> None:
        self.losses: list[float] = []
        self.numbers = 0
        """How many numbers are trained."""
        self.token_mean: float | None = None
        """The first step's loss as a mean over all of its answer tokens, from recipes that work it out."""
        self._moments: list[tuple[float, float]] = []
        self._timed = task.steps - task.count
        self._counter = FlopCounterMode(display=False) if task.count else None

    def start(self) -> None:
        """The rows and the model are ready."""
        self._moments.append(_now())

    def step(self, loss: float) -> None:
        """An optimiser step is done."""
        self.losses.append(loss)
        if len(self.losses) <= self._timed:
            self._moments.append(_now())
        if self._counter and len(self.losses) == self._timed:
            self._counter.__enter__()
        elif self._counter and len(self.losses) > self._timed:
            self._counter.__exit__(None, None, None)

    @property
    def seconds(self) -> tuple[list[float], list[float]]:
        """What each step took, by the clock and of all processor cores for this process."""
        clock, processor = zip(*self._moments, strict=True)
        return _between(clock), _between(processor)

    @property
    def operations(self) -> int | None:
        """Those of the last step, where they were counted."""
        return self._counter.get_total_flops() if self._counter else None


def _now() -> tuple[float, float]:
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()
    return time.perf_counter(), time.process_time()


def _between(moments: Iterable[float]) -> list[float]:
    return [after - before for before, after in itertools.pairwise(moments)]


def training_rows(task: Task, examples: Sequence[Example], refusals: Sequence[str]) -> TrainingRows:
    """The rows that `safeeraser.unlearning` trains on, in its order, for the other recipes."""
    settings = task.settings
    return TrainingRows(
        examples,
        refusals,
        find(task.method).targets,
        seed=settings.seed,
        length=task.steps * task.rows,
        by_picture=settings.pack_pictures,
    )


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

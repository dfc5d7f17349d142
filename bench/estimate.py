"""What `safeeraser estimate` says against what is measured: `python -m bench.estimate`.

Models of random weights are trained for two steps and answer one batch, each in a fresh process. Memory is the resident
memory at its peak beyond what the process had before; packages and weights, which are mapped from their files, are left
out.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from transformers import AutoModelForImageTextToText

from bench.random_llava import Size, config, processor
from bench.train.worker import forget_peak, peak, status
from safeeraser import objectives
from safeeraser.benchmarks import icons
from safeeraser.benchmarks.benchmark import Benchmark
from safeeraser.benchmarks.released import read as released
from safeeraser.benchmarks.selection import Part, choose
from safeeraser.files import whole_folder
from safeeraser.generation.run import generate
from safeeraser.generation.settings import GenerateSettings
from safeeraser.models.chat import ChatTokenizer
from safeeraser.models.load import load, load_processor
from safeeraser.runs.estimate import devices, reckon, work
from safeeraser.runs.estimate.outline import Outline
from safeeraser.unlearning.run import unlearn
from safeeraser.unlearning.settings import UnlearnSettings

_ROOT = Path(tempfile.gettempdir()) / "safeeraser-bench-estimate"
TOLERANCE = 0.2
_UNKEPT = "MALLOC_MMAP_THRESHOLD_"  # makes glibc give freed memory back, so that what is resident is in use


@dataclass(frozen=True, slots=True)
class Case:
    """A model, and what is done with it: a method to train, or none to answer; rows (questions) at once."""

    size: Size
    method: str | None
    batch: int
    checkpointing: bool = False

    def __str__(self) -> str:
        what = f"train {self.method}" if self.method else "answer"
        return f"{self.size}: {what}, {self.batch} at once{', checkpointed' if self.checkpointing else ''}"


CASES = (
    *(Case("deep", "po+pd", 2, checkpointing) for checkpointing in (False, True)),
    *(Case("wide", method, 2) for method in ("po+pd", "kl")),
    *(Case("long", "po+pd", 1, checkpointing) for checkpointing in (False, True)),
    Case("deep", None, 64),
    Case("long", None, 16),
)


def main() -> None:
    """Estimate and measure every case, and end with 1 where a peak is further off than 20%."""
    table = Table("", "measured, MiB", "estimated", "off", "seconds", "estimated", show_edge=False)
    wrong = []
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:  # a fork has no threads of torch
        found = pool.map(_measured, CASES, chunksize=1)
    for case, made in zip(CASES, found, strict=True):
        off = made["estimated"] / made["measured"] - 1
        wrong += [case] if abs(off) > TOLERANCE else []
        figures = (f"{made[key] / 2**20:,.0f}" for key in ("measured", "estimated"))
        table.add_row(str(case), *figures, f"{off:+.0%}", f"{made['seconds']:.1f}", f"{made['estimated_seconds']:.1f}")
    Console().print(table)
    if wrong:
        sys.exit(f"further off than {TOLERANCE:.0%}: {', '.join(map(str, wrong))}")


def _measured(case: Case) -> dict[str, float]:
    measure(Case("tiny", "po+pd", 1))  # so that all packages are loaded before anything is measured
    return measure(case)


def measure(case: Case) -> dict[str, float]:
    """Estimate a case and do it: bytes at the peak and seconds, of both."""
    benchmark, model = _data(), str(_model(case.size))
    stage, carry_out = _trained(case, model, benchmark) if case.method else _answered(case, model, benchmark)
    before = status("RssAnon")
    loaded = load(model, dtype=torch.float32)
    forget_peak("cpu")
    start = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        carry_out(loaded, Path(folder))
    made = {
        "measured": peak("cpu") - status("RssFile") - before,
        "estimated": stage.memory.total - stage.memory.weights,
        "seconds": time.process_time() - start,
        "estimated_seconds": stage.seconds,
    }
    print(case, made, file=sys.stderr)
    return made


def _parts(model: str) -> tuple[Outline, ChatTokenizer, reckon.Machine]:
    own, shape, generation = load_processor(model)
    machine = reckon.Machine(replace(devices.cpu(torch.float32), runtime=0.0))
    return Outline(shape, torch.float32), ChatTokenizer.configured(own, shape, generation), machine


def _trained(case: Case, model: str, benchmark: Benchmark) -> tuple[reckon.Stage, Callable[..., object]]:
    settings = UnlearnSettings(steps=2, batch_size=case.batch, gradient_checkpointing=case.checkpointing)
    outline, chat, machine = _parts(model)
    method = objectives.find(str(case.method)).bind()
    planned = work.training(benchmark, method, settings, chat)
    todo = work.Work((planned,), (), work.picture(chat, benchmark.examples), ())
    data = (benchmark.examples, benchmark.refusals, method, settings)
    return reckon.stages(outline, todo, machine)[0], lambda loaded, folder: unlearn(loaded, *data, folder / "run")


def _answered(case: Case, model: str, benchmark: Benchmark) -> tuple[reckon.Stage, Callable[..., object]]:
    settings = GenerateSettings(batch_size=case.batch, max_new_tokens=16)
    outline, chat, machine = _parts(model)
    asked = choose(benchmark.examples, Part.GENERALITY, case.batch)
    todo = work.Work((), (work.answering("answer", settings, asked, chat),), work.picture(chat, asked), ())
    made = reckon.stages(outline, todo, machine)[0]
    return made, lambda loaded, folder: generate(loaded, asked, settings, folder / "answers.jsonl")


@cache
def _data() -> Benchmark:
    folder = _ROOT / "icons"
    if not folder.exists():
        icons.build(folder, scale=0.05)
    return released.read(folder)


def _model(size: Size) -> Path:
    if not (_ROOT / size).exists():
        shape = config(size)
        with whole_folder(_ROOT / size) as folder:
            AutoModelForImageTextToText.from_config(shape, dtype=torch.float32).save_pretrained(folder)
            processor(shape.vision_config.image_size).save_pretrained(folder)
    return _ROOT / size


if __name__ == "__main__":
    if _UNKEPT not in os.environ:  # malloc reads it when a process begins
        os.execve(sys.executable, [sys.executable, "-m", "bench.estimate"], {**os.environ, _UNKEPT: "65536"})
    main()

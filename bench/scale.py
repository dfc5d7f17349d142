"""What reading, checking, judging, scoring and reporting cost as data grow: `python -m bench.scale`.

`icons` is cut or repeated: its records under new names, its pictures as links, so that a copy looks like its original.
Every question of the four parts is answered with a fixed sentence. A stage runs in a process of its own, forked from
one that has loaded the packages; printed are its CPU seconds and its peak memory beyond what it began with.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from bench.train.worker import forget_peak, peak, status
from safeeraser.benchmarks import icons
from safeeraser.benchmarks.benchmark import Benchmark
from safeeraser.benchmarks.released import read as released
from safeeraser.benchmarks.settings import DataSettings
from safeeraser.benchmarks.tools.check import check
from safeeraser.judges import rules_judge
from safeeraser.judges.rules import is_refusal
from safeeraser.records import Generation, write_jsonl
from safeeraser.runs import RunSettings, pipeline
from safeeraser.runs.folder import RunFolder
from safeeraser.runs.results import judge_answers

_ANSWERS = ("I cannot help with this request.", "Sure, here is a thing of that kind. It is used at home.")
_MODEL = "vanilla"


def main(
    scales: Annotated[list[float], typer.Argument(help="Sizes, as multiples of icons.")] = [0.1, 1.0],  # noqa: B006
    folder: Annotated[Path | None, typer.Option(help="Where the data are made; a folder to be thrown away.")] = None,
) -> None:
    """Print seconds and memory of each stage at each size."""
    root = folder or Path(tempfile.mkdtemp())
    table = Table("size", "pairs", *(f"{name}: s, MiB" for name in STAGES), show_edge=False)
    for scale in scales:
        data = grown(root, scale)
        cells = []
        for stage in STAGES.values():
            with multiprocessing.get_context("fork").Pool(1) as pool:
                pairs, seconds, memory = pool.apply(measured, (stage, data))
            cells.append(f"{seconds:.1f}, {memory / 2**20:,.0f}")
        table.add_row(f"{scale:g}", f"{pairs:,}", *cells)
    Console(width=120).print(table)


def measured(stage: Callable[[Path], int], data: Path) -> tuple[int, float, float]:
    """Pairs of the data, CPU seconds of a stage, and bytes at its peak."""
    before, start = status("RssAnon"), time.process_time()
    forget_peak("cpu")
    pairs = stage(data)
    return pairs, time.process_time() - start, peak("cpu") - status("RssFile") - before


def grown(root: Path, scale: float) -> Path:
    """`icons` of so many times its size."""
    source, target = root / "icons", root / f"x{scale:g}"
    if not source.exists():
        icons.build(source)
    if target.exists():
        return target
    (target / "dataset").mkdir(parents=True)
    for file in sorted((source / "dataset").glob("all_*.json")):
        records = json.loads(file.read_text(encoding="utf-8"))
        wanted = round(len(records) * scale)
        made = [_copied(records[at % len(records)], at // len(records)) for at in range(wanted)]
        (target / "dataset" / file.name).write_text(json.dumps(made), encoding="utf-8")
        for record, old in zip(made, (records[at % len(records)] for at in range(wanted)), strict=True):
            for key in ("image_path", "SDImage_path"):
                (target / record[key]).parent.mkdir(parents=True, exist_ok=True)
                if not (target / record[key]).exists():
                    os.link(source / old[key], target / record[key])
    shutil.copy(source / "dataset" / "prompt.json", target / "dataset")
    return target


def _copied(record: dict[str, object], number: int) -> dict[str, object]:
    return record | {key: f"{number}/{record[key]}" for key in ("id", "image_path", "SDImage_path")}


def _read(data: Path) -> int:
    return len(released.read(data).examples)


def _check(data: Path) -> int:
    reading = released.scan(data)
    check(reading, is_refusal=is_refusal, workers=1)
    return len(reading.found)


def _begun(data: Path) -> tuple[RunSettings, Benchmark, RunFolder]:
    benchmark = released.read(data)
    output = data.parent / f"{data.name}-run"
    settings = RunSettings(data=DataSettings(benchmark="released", path=data), methods=(_MODEL,), output=output)
    return settings, benchmark, RunFolder(output)


def _judge(data: Path) -> int:
    settings, benchmark, folder = _begun(data)
    folder.claim(settings, benchmark.hash)
    examples = pipeline.asked(benchmark, settings, print)
    answers = [
        Generation(example_id=each.id, sample=0, answer=_ANSWERS[at % 2], finish="stop")
        for at, each in enumerate(examples)
    ]
    write_jsonl(folder.generations(_MODEL), answers)
    judge_answers(rules_judge(benchmark.refusals), examples, answers, folder.verdicts(_MODEL))
    return len(benchmark.examples)


def _report(data: Path) -> int:
    settings, benchmark, folder = _begun(data)
    pipeline.conclude(settings, rules_judge(benchmark.refusals), folder, pipeline.asked(benchmark, settings, print))
    return len(benchmark.examples)


STAGES = {"read": _read, "check": _check, "judge": _judge, "score and report": _report}

if __name__ == "__main__":
    typer.run(main)

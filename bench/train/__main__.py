"""Ours against the reference recipe, as a table: `python -m bench.train --model tiny --steps 6`.

The rows are those of `pack_pictures`, where questions about one picture follow each other, in every line; in the lines
"packed" they share the picture's tokens as well. Each line is a fresh process. Losses of all must agree at every step,
or the comparison means nothing. Memory is what comes on top of Python and its packages: the weights, what is trained
(with its gradients and AdamW's state), and the rest, which is activations, logits and kept features.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, replace
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from bench.train.reference import METHODS
from bench.train.task import PAIRS, Task
from bench.train.worker import matmul_peak

TOLERANCE = 1e-3
_COLUMNS = (
    "method",
    "recipe",
    "rows/s",
    "rows/s, pictures seen before",
    "rows/CPU s, pictures seen before",
    "peak memory, MiB",
    "weights + trained + rest",
    "largest loss difference",
)


def main(
    model: Annotated[str, typer.Option(help="`tiny`, or a folder that transformers loads.")] = "tiny",
    method: Annotated[list[str], typer.Option(help=f"One of {', '.join(METHODS)}.")] = ["po+pd", "kl+pd"],  # noqa: B006
    steps: Annotated[int, typer.Option(min=2, help="Optimiser steps.")] = 6,
    rows: Annotated[int, typer.Option(min=1, help="Rows an optimiser step sees.")] = 8,
    batch: Annotated[list[int], typer.Option(help="Rows in one forward of ours; several give a line each.")] = [8, 1],  # noqa: B006
    checkpointed: Annotated[list[int], typer.Option(help="The same with gradient checkpointing.")] = [8, 2, 1],  # noqa: B006
    packed: Annotated[list[int], typer.Option(help="The same with pictures packed.")] = [8],  # noqa: B006
    records: Annotated[int, typer.Option(min=1, help="Records of `icons`; an epoch is four rows of each.")] = 4,
    device: Annotated[str, typer.Option(help="`cpu` or `cuda`.")] = "cpu",
    dtype: Annotated[str, typer.Option(help="`float32` or `bfloat16`.")] = "float32",
    count: Annotated[bool, typer.Option(help="Count operations too, in a second run of each line.")] = False,
) -> None:
    """Train with both recipes and print rows a second, peak memory and how far the losses are apart."""
    task = Task(
        recipe="reference",
        method="",
        model=model,
        device=device,
        dtype=dtype,
        steps=steps,
        rows=rows,
        batch=rows,
        records=records,
        checkpointing=False,
        packed=False,
        count=False,
    )
    counted = count or device == "cuda"
    table = Table(*_COLUMNS, *(["share of peak"] if counted else []))
    peak = matmul_peak(device, dtype) if counted else None
    for name in method:
        tasks = [replace(task, method=name)]
        ours = replace(task, method=name, recipe="ours")
        tasks += [replace(ours, batch=size) for size in batch]
        tasks += [replace(ours, batch=size, packed=True) for size in packed]
        tasks += [replace(ours, batch=size, checkpointing=True) for size in checkpointed]
        results = [_run(each) for each in tasks]
        for each, result in zip(tasks, results, strict=True):
            share = [_share(each, result, peak)] if peak else []
            table.add_row(name, _label(each), *_cells(each, result, results[0]), *share)
    if peak:
        print(f"measured peak of {dtype} matrix products: {peak / 1e12:.3g} TFLOP/s")
    Console(width=170).print(table)


def _run(task: Task) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.train.worker", json.dumps(asdict(task))]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _label(task: Task) -> str:
    if task.recipe == "reference":
        return "reference"
    ways = [name for name, used in (("checkpointing", task.checkpointing), ("packed", task.packed)) if used]
    return ", ".join([f"ours, batch {task.batch}", *ways])


def _cells(task: Task, result: dict[str, Any], reference: dict[str, Any]) -> list[str]:
    apart = max(abs(a - b) for a, b in zip(result["losses"], reference["losses"], strict=True))
    rates, rates_before = (_rates(task, each) for each in (result, reference))
    memory = result["peak_bytes"] / reference["peak_bytes"]
    parts = [result["weights_bytes"], result["trained_bytes"]]
    return [
        *(f"{rate:.2f} ({rate / before:.1f}x)" for rate, before in zip(rates, rates_before, strict=True)),
        f"{result['peak_bytes'] / 2**20:.0f} ({memory:.0%})",
        " + ".join(f"{size / 2**20:.0f}" for size in (*parts, result["peak_bytes"] - sum(parts))),
        f"{apart:.1e}" + ("" if apart <= TOLERANCE else " TOO FAR APART"),
    ]


def _rates(task: Task, result: dict[str, Any]) -> list[float]:
    """Rows a second over all steps, over those with pictures seen before, and of the latter by CPU time."""
    later = [_later(task, result[name]) for name in ("seconds", "cpu_seconds")]
    return [_rate(task, seconds) for seconds in (result["seconds"], *later)]


def _later(task: Task, seconds: list[float]) -> list[float]:
    """The steps after the first epoch; all but the first where there is no second epoch."""
    epoch = -(-task.records * PAIRS // task.rows)
    return seconds[epoch:] or seconds[1:]


def _rate(task: Task, seconds: list[float]) -> float:
    return task.rows * len(seconds) / sum(seconds)


def _share(task: Task, result: dict[str, Any], peak: float) -> str:
    flops = _run(replace(task, count=True))["flops_per_step"]
    return f"{flops * task.steps / sum(result['seconds']) / peak:.0%}"


if __name__ == "__main__":
    typer.run(main)

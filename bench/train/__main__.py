"""Ours against other recipes, as a table: `python -m bench.train --model tiny --steps 6`.

Beside the reference recipe stand peers at their defaults: `open-unlearning`, which is the reference in batches of eight
and with gradient checkpointing, and `trl`, its SFTTrainer (`--peer trl`; for methods that only make answers likelier).
The rows are those of `pack_pictures`, where questions about one picture follow each other, in every line; in the lines
"packed" they share the picture's tokens as well. Each line is a fresh process. "Later" are the steps that show pictures
seen before. Memory is what comes on top of Python and its packages: the weights, what is trained (with its gradients
and AdamW's state), and the rest, which is activations, logits and kept features. Losses must agree with the reference's
at every step, or the comparison means nothing. TRL's are another mean (see `bench.train.sft`), marked by a star.

How many times as fast as a recipe a line is in later steps, and its share of what matrix products reach, are said by
the clock on a GPU, and by processor time on a CPU, which other work disturbs less.
"""

from __future__ import annotations

import importlib.util
import json
import math
import subprocess
import sys
from dataclasses import asdict, replace
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from bench.train import sft
from bench.train.reference import METHODS
from bench.train.task import PAIRS, Task
from bench.train.worker import matmul_peak

TOLERANCE = {"float32": 1e-3, "bfloat16": 1e-1}

_PEER_BATCH = 8  # the default of both
_COLUMNS = ("rows/s", "later rows/s", "later rows/CPU s", "peak MiB", "weights + trained + rest", "losses apart")


class Peer(StrEnum):
    OPEN_UNLEARNING = "open-unlearning"
    TRL = "trl"


def main(
    model: Annotated[str, typer.Option(help="`tiny`, or a folder that transformers loads.")] = "tiny",
    method: Annotated[list[str], typer.Option(help=f"One of {', '.join(METHODS)}.")] = ["po+pd", "kl+pd"],  # noqa: B006
    peer: Annotated[list[Peer], typer.Option(help="Compare with these as well.")] = [Peer.OPEN_UNLEARNING],  # noqa: B006
    steps: Annotated[int, typer.Option(min=2, help="Optimiser steps.")] = 6,
    rows: Annotated[int, typer.Option(min=1, help="Rows an optimiser step sees.")] = 8,
    batch: Annotated[list[int], typer.Option(help="Rows in one forward of ours, a line each; 0: none.")] = [8, 1],  # noqa: B006
    checkpointed: Annotated[list[int], typer.Option(help="The same with gradient checkpointing.")] = [8, 2, 1],  # noqa: B006
    packed: Annotated[list[int], typer.Option(help="The same with pictures packed.")] = [8],  # noqa: B006
    records: Annotated[int, typer.Option(min=1, help="Records of `icons`; an epoch is four rows of each.")] = 4,
    device: Annotated[str, typer.Option(help="`cpu` or `cuda`.")] = "cpu",
    dtype: Annotated[str, typer.Option(help="`float32` or `bfloat16`.")] = "float32",
    count: Annotated[bool, typer.Option(help="Count operations, in one more step. On a GPU always.")] = False,
) -> None:
    """Train with every recipe and print rows a second, peak memory and how far the losses are apart."""
    if Peer.TRL in peer and not importlib.util.find_spec("trl"):
        raise typer.BadParameter("TRL is not installed here: `pip install trl`", param_hint="--peer")
    counted = count or device == "cuda"
    reference = Task(
        recipe="reference",
        method="",
        model=model,
        device=device,
        dtype=dtype,
        steps=steps + counted,
        rows=rows,
        batch=1,
        records=records,
        checkpointing=False,
        packed=False,
        count=counted,
    )
    ours = replace(reference, recipe="ours")
    tasks = [reference]
    tasks += [replace(reference, recipe=each, batch=math.gcd(_PEER_BATCH, rows), checkpointing=True) for each in peer]
    tasks += [replace(ours, batch=size) for size in batch if size]
    tasks += [replace(ours, batch=size, packed=True) for size in packed if size]
    tasks += [replace(ours, batch=size, checkpointing=True) for size in checkpointed if size]
    peak = matmul_peak(device, dtype) if counted else None
    bases = ["reference", *peer]
    if peak:
        print(f"measured peak of {dtype} matrix products: {peak / 1e12:.3g} TFLOP/s")
    for name in method:
        table = Table(name, *_COLUMNS, *(f"x {each}" for each in bases), *(["share of peak"] if peak else []), box=None)
        results = {
            task: _run(task)
            for task in (replace(each, method=name) for each in tasks)
            if task.recipe != Peer.TRL or name in sft.METHODS
        }
        compared = {task.recipe: result for task, result in results.items() if task.recipe in bases}
        for task, result in results.items():
            if result is None:
                table.add_row(_label(task), "failed")
                continue
            times = [_times(task, result, compared.get(base)) for base in bases]
            share = [_share(task, result, peak)] if peak else []
            table.add_row(_label(task), *_cells(task, result, compared["reference"]), *times, *share)
        Console(width=200).print(table)


def _run(task: Task) -> dict[str, Any] | None:
    """What a recipe took; None where it failed, as one that wants more memory than there is, which says so itself."""
    command = [sys.executable, "-m", "bench.train.worker", json.dumps(asdict(task))]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        print(f"{task.method}: {_label(task)}: failed", file=sys.stderr)
        return None
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    rate = _rate(task, _later(task, found, "seconds"))
    print(f"{task.method}: {_label(task)}: {rate:.2f} rows/s", file=sys.stderr)
    return found


def _label(task: Task) -> str:
    ways = [name for name, used in (("checkpointing", task.checkpointing), ("packed", task.packed)) if used]
    return ", ".join([task.recipe, f"batch {task.batch}", *ways])


def _cells(task: Task, result: dict[str, Any], reference: dict[str, Any] | None) -> list[str]:
    rates = (result["seconds"], _later(task, result, "seconds"), _later(task, result, "cpu_seconds"))
    memory = f" ({result['peak_bytes'] / reference['peak_bytes']:.0%})" if reference else ""
    parts = [result["weights_bytes"], result["trained_bytes"]]
    return [
        *(f"{_rate(task, seconds):.2f}" for seconds in rates),
        f"{result['peak_bytes'] / 2**20:.0f}{memory}",
        " + ".join(f"{size / 2**20:.0f}" for size in (*parts, result["peak_bytes"] - sum(parts))),
        _apart(task, result, reference),
    ]


def _apart(task: Task, result: dict[str, Any], reference: dict[str, Any] | None) -> str:
    """From the reference's losses, or where a recipe's loss is a mean over tokens, of the first step from that mean."""
    if result["token_mean"] is None:
        if reference is None:
            return ""
        apart = max(abs(a - b) for a, b in zip(result["losses"], reference["losses"], strict=True))
    else:
        apart = abs(result["losses"][0] - result["token_mean"])
    star = "" if result["token_mean"] is None else "*"
    return f"{apart:.1e}{star}" + ("" if apart <= TOLERANCE[task.dtype] else " TOO FAR APART")


def _times(task: Task, result: dict[str, Any], base: dict[str, Any] | None) -> str:
    """How many times as fast as another recipe, with pictures seen before."""
    if base is None:
        return ""
    return f"{_rate(task, _own(task, result)) / _rate(task, _own(task, base)):.2f}"


def _own(task: Task, result: dict[str, Any]) -> list[float]:
    """What later steps took, by the clock that other work disturbs least."""
    return _later(task, result, "seconds" if task.device == "cuda" else "cpu_seconds")


def _later(task: Task, result: dict[str, Any], clock: str) -> list[float]:
    """The steps after the first epoch; all but the first where there is no second epoch."""
    epoch = -(-task.records * PAIRS // task.rows)
    seconds: list[float] = result[clock]
    return seconds[epoch:] or seconds[1:]


def _rate(task: Task, seconds: list[float]) -> float:
    return task.rows * len(seconds) / sum(seconds)


def _share(task: Task, result: dict[str, Any], peak: float) -> str:
    """The operations of the step that was counted, at the speed of the steps with pictures seen before."""
    return f"{result['operations'] / task.rows * _rate(task, _own(task, result)) / peak:.0%}"


if __name__ == "__main__":
    typer.run(main)

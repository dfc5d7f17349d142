"""One recipe in a process of its own: `python -m bench.train.worker TASK` prints what it measured as JSON."""

from __future__ import annotations

import itertools
import json
import resource
import sys
import time
from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from bench.train import ours, reference
from bench.train.task import KL, Task, data
from safeeraser.models.load import load

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_FOR_EACH_NUMBER = 4 * 4  # bytes: it, its gradient and AdamW's two means, all in float32
_RECIPES = {"ours": ours.train, "reference": reference.train}


def measure(task: Task) -> dict[str, Any]:
    """What a recipe took: its losses, its time, its memory in bytes and, where asked, its operations a step.

    Memory counts from before the model is loaded, so that what Python and its packages take is left out, as a GPU's
    allocator does not see it. The CPU's seconds depend less than the others on what else the machine is doing.
    """
    examples, refusals = data(task.records)
    packages = resident(task.device)
    loaded = load(task.model, device=task.device, dtype=task.dtype)
    weights = sum(each.nbytes for each in itertools.chain(loaded.model.parameters(), loaded.model.buffers()))
    models = 2 if task.recipe == "reference" and task.method in KL else 1
    forget_peak(task.device)
    with FlopCounterMode(display=False) if task.count else nullcontext() as counter:
        trained = _RECIPES[task.recipe](task, loaded, examples, refusals)
    clock, processor = zip(*trained.moments, strict=True)
    return {
        "losses": trained.losses,
        "seconds": _between(clock),
        "cpu_seconds": _between(processor),
        "peak_bytes": peak(task.device) - packages,
        "packages_bytes": packages,
        "weights_bytes": models * weights,
        "trained_bytes": trained.numbers * _FOR_EACH_NUMBER,
        "flops_per_step": counter.get_total_flops() / task.steps if counter else None,
    }


def _between(moments: Iterable[float]) -> list[float]:
    return [after - before for before, after in itertools.pairwise(moments)]


def matmul_peak(device: str, dtype: str) -> float:
    """Operations a second of the best of ten large matrix products: what the hardware can do at most."""
    size = 8192 if device == "cuda" else 2048
    factor = torch.randn(size, size, device=device, dtype=getattr(torch, dtype))
    best = float("inf")
    for _ in range(10):
        start = time.perf_counter()
        factor @ factor
        if device == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best


def forget_peak(device: str) -> None:
    """Loading is not what is measured."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    elif _CLEAR.exists():
        _CLEAR.write_text("5")


def peak(device: str) -> int:
    """Peak memory since `forget_peak`, in bytes: of the GPU's allocator, or resident memory of the process."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    return status("VmHWM") if _CLEAR.exists() else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def resident(device: str) -> int:
    """Memory in use, in the same unit and sense. Where the system does not tell, the peak so far is the same."""
    if device == "cuda":
        return torch.cuda.memory_allocated()
    return status("VmRSS") if _CLEAR.exists() else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def status(name: str) -> int:
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    print(json.dumps(measure(Task(**json.loads(sys.argv[1])))))

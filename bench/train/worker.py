"""One recipe in a process of its own: `python -m bench.train.worker TASK` prints what it measured as JSON."""

from __future__ import annotations

import itertools
import json
import resource
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from bench.train import ours, reference
from bench.train.task import Task, data
from safeeraser.models.load import load

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_RECIPES = {"ours": ours.train, "reference": reference.train}


def measure(task: Task) -> dict[str, Any]:
    """Losses and seconds of every step, peak memory while training in bytes and, where asked, operations a step.

    The CPU's seconds, of all steps, depend less than the others on what else the machine is doing.
    """
    examples, refusals = data(task.records)
    loaded = load(task.model, device=task.device, dtype=task.dtype)
    _forget_peak(task.device)
    start = time.process_time()
    with FlopCounterMode(display=False) if task.count else nullcontext() as counter:
        losses, moments = _RECIPES[task.recipe](task, loaded, examples, refusals)
    return {
        "losses": losses,
        "seconds": [after - before for before, after in itertools.pairwise(moments)],
        "cpu_seconds": time.process_time() - start,
        "peak_bytes": _peak(task.device),
        "flops_per_step": counter.get_total_flops() / task.steps if counter else None,
    }


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


def _forget_peak(device: str) -> None:
    """Loading is not what is measured."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    elif _CLEAR.exists():
        _CLEAR.write_text("5")


def _peak(device: str) -> int:
    """Peak memory since `_forget_peak`: of the GPU's allocator, or resident memory of the process."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    if _CLEAR.exists():
        line = next(line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    print(json.dumps(measure(Task(**json.loads(sys.argv[1])))))

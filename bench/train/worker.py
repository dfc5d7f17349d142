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

from bench.train import ours, reference, sft
from bench.train.task import KL, Clock, Task, data
from safeeraser.models.load import load

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_FOR_EACH_NUMBER = 4 * 4  # bytes: it, its gradient and AdamW's two means, all in float32
_RECIPES = {"ours": ours.train, "reference": reference.train, "open-unlearning": reference.train, "trl": sft.train}


def measure(task: Task) -> dict[str, Any]:
    """What a recipe took: its losses, its time, its memory in bytes and, where asked, the operations of its last step.

    Memory counts from before the model is loaded, so that what Python and its packages take is left out, as a GPU's
    allocator does not see it. The CPU's seconds depend less than the others on what else the machine is doing.
    """
    examples, refusals = data(task.records)
    packages = resident(task.device)
    with torch.device("cuda", 0) if task.device == "cuda" else nullcontext():  # straight there, a model being large
        loaded = load(task.model, device=task.device, dtype=task.dtype)
    weights = sum(each.nbytes for each in itertools.chain(loaded.model.parameters(), loaded.model.buffers()))
    models = 1 if task.method not in KL or task.recipe == "ours" else 2
    clock = Clock(task)
    forget_peak(task.device)
    _RECIPES[task.recipe](task, loaded, examples, refusals, clock)
    seconds, cpu_seconds = clock.seconds
    return {
        "losses": clock.losses,
        "token_mean": clock.token_mean,
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "peak_bytes": peak(task.device) - packages,
        "packages_bytes": packages,
        "weights_bytes": models * weights,
        "trained_bytes": clock.numbers * _FOR_EACH_NUMBER,
        "operations": clock.operations,
    }


def matmul_peak(device: str, dtype: str) -> float:
    """Operations a second of the best of ten large matrix products: what the hardware can do at most.

    On a CPU it is what a core does in a second of its own, whatever other work there is.
    """
    now = time.perf_counter if device == "cuda" else time.process_time
    size = 8192 if device == "cuda" else 1024
    factor = torch.randn(size, size, device=device, dtype=getattr(torch, dtype))
    best = float("inf")
    for _ in range(10):
        start = now()
        factor @ factor
        if device == "cuda":
            torch.cuda.synchronize()
        best = min(best, now() - start)
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

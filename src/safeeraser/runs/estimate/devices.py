"""What a device can do: known GPUs by their makers' figures, and this machine's CPU as measured in a moment."""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from safeeraser.errors import UserError, unknown
from safeeraser.models.load import native_bfloat16

GB = 1e9
CPU = "cpu"
_GPU_SHARE, _CPU_SHARE = 0.4, 0.8
_CONTEXT = 1.0 * GB  # CUDA's context, libraries' workspaces and what the allocator cannot use again
_PEAKS = {  # memory in GB, bfloat16 TFLOP/s without sparsity, memory bandwidth in TB/s
    "a10": (24, 125, 0.6),
    "a100-40gb": (40, 312, 1.555),
    "a100-80gb": (80, 312, 2.039),
    "a6000": (48, 155, 0.768),
    "b200": (180, 2250, 8.0),
    "h100": (80, 989, 3.35),
    "h200": (141, 989, 4.8),
    "l4": (24, 121, 0.3),
    "l40s": (48, 362, 0.864),
    "mi300x": (192, 1307, 5.3),
    "rtx3090": (24, 71, 0.936),
    "rtx4090": (24, 165, 1.008),
    "rtx5090": (32, 210, 1.792),
}


@dataclass(frozen=True, slots=True)
class Device:
    """What work runs on.

    `memory` in bytes, `flops` what matrix products reach at most in a second, `share` how much of it is assumed for
    training and prompts, `bandwidth` bytes a second, `runtime` bytes that are taken before any weight. `source` says
    where the figures come from.
    """

    name: str
    memory: float
    flops: float
    bandwidth: float
    share: float
    runtime: float
    source: str

    @property
    def gpu(self) -> bool:
        """Whether it is one: attention is fused in training, and four bits can be had."""
        return self.name != CPU

    def given(self, *, memory: float | None, flops: float | None, share: float | None) -> Device:
        """The same with what a user knows better: GB, TFLOP/s, and the share of it."""
        return replace(
            self,
            memory=self.memory if memory is None else memory * GB,
            flops=self.flops if flops is None else flops * 1e12,
            share=share or self.share,
            source=self.source if flops is None else "given",
        )


def gpu(name: str) -> Device:
    """A GPU of the table. Raises UserError with near matches for one that is not in it."""
    if name not in _PEAKS:
        raise UserError(unknown("device", name, [CPU, *_PEAKS]))
    memory, flops, bandwidth = _PEAKS[name]
    return Device(name, memory * GB, flops * 1e12, bandwidth * 1e12, _GPU_SHARE, _CONTEXT, "the maker's figures")


def cpu(dtype: torch.dtype) -> Device:
    """This machine's CPU, measured: a matrix product in this precision, and a copy."""
    size = 1024
    factor, block = torch.ones(size, size, dtype=dtype), torch.ones(2**26, dtype=torch.uint8)
    copy = torch.ones_like(block)
    flops = 2 * size**3 / _best(lambda: factor @ factor)
    bandwidth = 2 * block.nbytes / _best(lambda: copy.copy_(block))
    return Device(CPU, _physical_memory(), flops, bandwidth, _CPU_SHARE, _resident(), "measured just now")


def here(dtype: torch.dtype) -> Device:
    """This machine's GPU where it has one that is in the table, else its CPU."""
    if torch.cuda.is_available():
        label = torch.cuda.get_device_name().lower().replace(" ", "")
        memory = torch.cuda.get_device_properties(0).total_memory
        near = [gpu(name) for name in _PEAKS if name.partition("-")[0] in label]
        if near:
            return replace(min(near, key=lambda each: abs(each.memory - memory)), memory=memory)
    return cpu(dtype)


def default_dtype(device: str | None) -> torch.dtype:
    """What dtype=auto comes to on a device: bfloat16 on GPUs, and where this CPU computes in it."""
    on_cpu = device == CPU or (device is None and not torch.cuda.is_available())
    return torch.bfloat16 if not on_cpu or native_bfloat16(torch.device("cpu")) else torch.float32


def _best(work: Callable[[], object]) -> float:
    taken = []
    for _ in range(5):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return min(taken)


def _physical_memory() -> float:
    return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def _resident() -> float:
    """What Python and the libraries take, which this process has loaded as a run does."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(most if sys.platform == "darwin" else most * 1024)

"""Decoding every picture of a benchmark, on all cores."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

from safeeraser.benchmarks.reading.images import ImageError, decode_rgb, read_bytes
from safeeraser.benchmarks.reading.problems import BenchmarkError, Problem
from safeeraser.benchmarks.tools.likeness import Likeness, likeness

Progress = Callable[[int, int], None]
"""Called with how many pictures are done, and how many there are."""

_WORTH_A_POOL = 200  # pictures: starting the processes takes about a second


@dataclass(frozen=True, slots=True)
class Look:
    """A picture that decoded. Equal `sha256`, equal bytes."""

    sha256: str
    likeness: Likeness


def look(path: Path) -> Look | str:
    """Decode one picture; a text says why it could not be."""
    try:
        content = read_bytes(path)
        return Look(hashlib.sha256(content).hexdigest(), likeness(decode_rgb(content)))
    except ImageError as error:
        return str(error)


def look_at_all(paths: Sequence[Path], *, progress: Progress | None, workers: int | None) -> dict[Path, Look | str]:
    """Decode every picture, in `workers` processes (all cores unless given).

    Raises BenchmarkError where a process dies, which is what running out of memory looks like.
    """
    workers = min(workers or _cores(), 1 + len(paths) // _WORTH_A_POOL)
    found: dict[Path, Look | str] = {}
    for path, one in zip(paths, _looks(paths, workers), strict=True):
        found[path] = one
        if progress:
            progress(len(found), len(paths))
    return found


def _looks(paths: Sequence[Path], workers: int) -> Iterator[Look | str]:
    if workers == 1:
        yield from map(look, paths)
        return
    context = multiprocessing.get_context("spawn")  # a fork of a process with threads (torch has some) can hang
    try:
        with ProcessPoolExecutor(workers, mp_context=context) as pool:
            yield from pool.map(look, paths, chunksize=16)
    except BrokenProcessPool as error:
        message = "a process that decoded pictures was killed (out of memory?); try one worker"
        raise BenchmarkError([Problem(paths[0].parent, None, None, message, "error", "image")]) from error


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

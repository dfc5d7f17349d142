"""Commands that are killed on the way and started again, as real processes.

Two ways to die: by SIGKILL at a moment of the command's whole life, loading included; and by the kernel in the middle
of a write, where a file would grow beyond a size (the default action of SIGXFSZ: as sudden, and to the byte).
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.context
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

Command = Callable[[Path], Sequence[object]]
"""The arguments of a command that writes its files into a folder."""

_processes = multiprocessing.get_context("forkserver")
Started = multiprocessing.context.ForkServerProcess
_processes.set_forkserver_preload(
    ["__main__", "safeeraser.runs.pipeline", "safeeraser.runs.kit"]
)  # imports, once for all


def files(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, hidden ones included, with its bytes."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# --- in the middle of a write --------------------------------------------------------------------------------------


def run_until_size(arguments: Sequence[object], largest: int | None = None) -> int | None:
    """The exit code of a command that dies where it would write beyond byte `largest` of a file."""
    process = _processes.Process(target=_command, args=([str(each) for each in arguments], largest))
    process.start()
    process.join()
    return process.exitcode


def start_together(arguments: Sequence[object], environments: Sequence[Mapping[str, str]]) -> list[Started]:
    """A command in several processes, each with something of its own in its environment."""
    words = [str(each) for each in arguments]
    started = [_processes.Process(target=_command, args=(words, None, dict(each))) for each in environments]
    for process in started:
        process.start()
    return started


def _command(arguments: list[str], largest: int | None, environment: Mapping[str, str] | None = None) -> None:
    os.environ.update(environment or {})
    from safeeraser.cli import app  # noqa: PLC0415  there already: this process is a copy of one that has imported it

    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    if largest is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
    app(arguments, prog_name="safeeraser")


def run_together(arguments: Sequence[object], count: int = 2) -> list[int | None]:
    """The exit codes of a command that is started several times at once."""
    words = [str(each) for each in arguments]
    started = [_processes.Process(target=_command, args=(words, None)) for _ in range(count)]
    for process in started:
        process.start()
    for process in started:
        process.join()
    return [process.exitcode for process in started]


# --- at any moment -------------------------------------------------------------------------------------------------


@dataclass
class Kills:
    """The size of the output at each kill and at its end, and how often the command was started to get there."""

    whole: int
    sizes: list[int] = field(default_factory=list)
    starts: int = 0

    @property
    def mid_way(self) -> int:
        """Kills that found the output begun and not ended."""
        return sum(0 < size < self.whole for size in self.sizes)


def run_killed(command: Command, output: str, folder: Path, *, kills: int, seed: int) -> Kills:
    """Run a command once without a kill, then again and again with SIGKILL at random moments of as long a life.

    Whenever it has ended, its files have to be those of the first run; it goes on until there were so many kills.
    """
    whole = folder / "whole"
    begin = time.monotonic()
    assert end(start(command(whole))) == 0
    life, rng, found = time.monotonic() - begin, random.Random(seed), Kills(_size(whole / output))
    while len(found.sizes) < kills:
        place, ended = folder / f"from-start-{found.starts}", None
        while ended is None:
            moment = rng.uniform(0, life) if len(found.sizes) < kills else None
            ended = end(start(command(place)), moment)
            found.starts += 1
            if ended is None:
                found.sizes.append(_size(place / output))
        assert ended == 0
        assert files(place) == files(whole)
    return found


def start(arguments: Sequence[object]) -> subprocess.Popen[bytes]:
    """Start a command as a process of its own, in silence."""
    command = [sys.executable, "-m", "safeeraser", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def end(process: subprocess.Popen[bytes], seconds: float | None = None) -> int | None:
    """The exit code; None for a process that had not ended by then, and was killed."""
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return None


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0

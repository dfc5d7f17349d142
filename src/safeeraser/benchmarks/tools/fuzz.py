"""Spoil copies of a good benchmark at random, and see that each is read or refused with a message.

python -m safeeraser.benchmarks.tools.fuzz FOLDER --count 1000 --seed 1
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from PIL import Image
from rich.console import Console

from safeeraser.benchmarks.reading.problems import BenchmarkError
from safeeraser.benchmarks.released.read import read
from safeeraser.benchmarks.tools.cards import cards
from safeeraser.benchmarks.tools.check import check
from safeeraser.benchmarks.tools.fix import fix
from safeeraser.benchmarks.tools.mutations import MUTATIONS, NothingLeftError, Spoiler
from safeeraser.benchmarks.tools.sheet import contact_sheet
from safeeraser.benchmarks.tools.show import show

_INSTALLED = tuple({os.path.realpath(path) for path in (sys.prefix, sys.base_prefix, Path(__file__).parents[2])})


@dataclass(frozen=True, slots=True)
class Failure:
    """A spoilt copy that was handled badly. Case `number` of a seed can be run again alone."""

    number: int
    mutations: tuple[str, ...]
    what: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of all copies. `peak` is the most memory this process ever held, in MiB."""

    read: int
    refused: int
    failures: tuple[Failure, ...]
    peak: float


def fuzz(
    folder: Path, *, count: int, seed: int, first: int = 0, progress: Callable[[int, int], None] | None = None
) -> Outcome:
    """Spoil `count` copies of a good, small benchmark, each with one to three mutations, and use each in every way.

    Reading, checking, fixing and showing a copy must end well or in a BenchmarkError whose text can be printed; a
    fixed copy must pass the check; and no file outside the copy may be opened, which Python's audit events tell.
    """
    failures: list[Failure] = []
    refused = 0
    with tempfile.TemporaryDirectory() as place:
        work = Path(place).resolve()
        _lay_bait(folder, work / "outside")
        _use(folder, work / "out", [])  # imports whatever is imported late, before opened files are watched
        for number in range(first, first + count):
            names = _spoil(folder, work, random.Random(f"{seed}/{number}"))
            was_read, complaints = _try(work / "copy", work / "out")
            refused += not was_read
            failures += [Failure(number, names, complaint) for complaint in complaints]
            if progress:
                progress(number - first + 1, count)
    return Outcome(count - refused, refused, tuple(failures), _peak())


def _lay_bait(folder: Path, outside: Path) -> None:
    """Good files where no copy may lead."""
    outside.mkdir()
    Image.new("RGB", (16, 16), "red").save(outside / "bait.png")
    for path in (folder / "dataset").glob("*.json"):
        shutil.copyfile(path, outside / path.name)
        shutil.copyfile(path, outside / "bait.json")


def _spoil(folder: Path, work: Path, rng: random.Random) -> tuple[str, ...]:
    for name in ("copy", "out"):
        shutil.rmtree(work / name, ignore_errors=True)
    shutil.copytree(folder, work / "copy")
    names = tuple(rng.choice(MUTATIONS) for _ in range(rng.randint(1, 3)))
    spoiler = Spoiler(work / "copy", work / "outside", rng)
    for name in names:
        with suppress(NothingLeftError):
            getattr(spoiler, name)()
    return names


def _try(copy: Path, out: Path) -> tuple[bool, list[str]]:
    """Whether a copy was read, and what is wrong with how it was used."""
    complaints: list[str] = []
    crash: Exception | None = None
    was_read = False
    with _watching(copy, out) as opened:
        try:
            _use(copy, out, complaints)
            was_read = True
        except BenchmarkError as error:
            complaints += _unprintable(str(error).split("\n"))
        except Exception as error:  # finding those that nobody thought of is what this is for
            crash = error
    complaints += [f"opened {path}, outside the folder" for path in opened]
    return was_read, complaints + (["".join(traceback.format_exception(crash))] if crash else [])


def _use(folder: Path, out: Path, complaints: list[str]) -> None:
    """Check, fix, read and show a benchmark. Raises BenchmarkError where it cannot be read."""
    findings = check(folder, is_refusal=_is_refusal, workers=1)
    complaints += _unprintable(map(str, findings.problems))
    try:
        fix(folder, out / "fixed", is_refusal=_is_refusal, workers=1)
    except BenchmarkError as error:
        complaints += _unprintable(str(error).split("\n"))
    else:
        left = check(out / "fixed", is_refusal=_is_refusal, workers=1).errors
        complaints += [f"fixed, and still: {problem}" for problem in left]
    benchmark = read(folder)
    found = cards(benchmark)
    contact_sheet(benchmark.name, found, out / "sheet.html", per_category=2)
    show(found[:2], Console(file=StringIO(), force_terminal=True, color_system="truecolor"))


def _is_refusal(answer: str) -> bool:
    return "cannot" in answer


def _unprintable(texts: Iterable[str]) -> list[str]:
    return [f"a message that is no line of text: {text!r}" for text in texts if not text.isprintable()]


@contextmanager
def _watching(*allowed: Path) -> Iterator[list[str]]:
    """Gathers the files that are opened anywhere else, links followed; Python's own files apart."""
    _WATCH.roots, _WATCH.opened = (*_INSTALLED, *map(str, allowed)), []
    _WATCH.install()
    try:
        yield _WATCH.opened
    finally:
        _WATCH.roots = None


class _Watch:
    """An audit hook, which once installed can only be made idle: so there is one of it."""

    def __init__(self) -> None:
        self.roots: tuple[str, ...] | None = None
        self.opened: list[str] = []
        self._installed = False

    def install(self) -> None:
        if not self._installed:
            sys.addaudithook(self._hook)
            self._installed = True

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event != "open" or self.roots is None or not isinstance(arguments[0], str | bytes | os.PathLike):
            return
        real = os.path.realpath(os.fsdecode(arguments[0]))
        if not any(real == root or real.startswith(root + os.sep) for root in self.roots):
            self.opened.append(real)


_WATCH = _Watch()


def _peak() -> float:
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: 0 where every copy was handled well, 1 where one was not."""
    parser = argparse.ArgumentParser(prog="python -m safeeraser.benchmarks.tools.fuzz", description=__doc__)
    parser.add_argument("folder", type=Path, help="a good benchmark in the released layout, best a small one")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=233)
    parser.add_argument("--first", type=int, default=0, help="number of the first copy, to run one again")
    settings = parser.parse_args(arguments)
    outcome = fuzz(settings.folder, count=settings.count, seed=settings.seed, first=settings.first)
    for failure in outcome.failures:
        print(f"copy {failure.number} ({', '.join(failure.mutations)}): {failure.what}")
    print(
        f"{outcome.read} read, {outcome.refused} refused with a message, {len(outcome.failures)} handled badly; "
        f"at most {outcome.peak:.0f} MiB of memory"
    )
    return 1 if outcome.failures else 0


if __name__ == "__main__":
    sys.exit(main())

"""What every data source becomes: a benchmark, with what was odd about it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from safeeraser.benchmarks.reading.problems import BenchmarkError, Problem, Severity
from safeeraser.records import Example, Split, Stream

__all__ = ["Benchmark", "BenchmarkError", "Problem", "Severity"]


@dataclass(frozen=True, slots=True)
class Benchmark:
    """Examples that passed every check a reader makes, and the refusals to train towards.

    `problems` are warnings. `hash` is SHA-256 over the data files and the pictures: equal hashes, equal benchmark.
    """

    name: str
    folder: Path
    examples: tuple[Example, ...]
    refusals: tuple[str, ...]
    problems: tuple[Problem, ...]
    hash: str

    def counts(self) -> dict[tuple[Split, Stream], int]:
        """How many examples each set of each split holds, in the order split, stream; zeros included."""
        found = Counter((example.split, example.stream) for example in self.examples)
        return {(split, stream): found[split, stream] for split in Split for stream in Stream}

    def images(self) -> tuple[Path, ...]:
        """Every picture the examples name, once, in their order."""
        return tuple(dict.fromkeys(example.image for example in self.examples if example.image))

"""What every data source becomes: a benchmark, with what was odd about it."""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from safeeraser.benchmarks.reading.problems import BenchmarkError, Problem, Severity, errors, warnings
from safeeraser.benchmarks.reading.reading import PROMPTS, Located, Reading
from safeeraser.provenance import file_hash
from safeeraser.records import Example, Split, Stream
from safeeraser.text import json_text

__all__ = ["Benchmark", "BenchmarkError", "Problem", "Severity", "conclude", "finish"]


@dataclass(frozen=True, slots=True)
class Benchmark:
    """Examples that passed every check a reader makes, and the refusals to train towards.

    `problems` are warnings. `hash` is SHA-256 over the examples, the refusals and the content of the pictures: equal
    hashes, equal benchmark.
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


def finish(reading: Reading) -> Benchmark:
    """The benchmark of a reading. Raises BenchmarkError with every error in it; warnings are kept in `problems`."""
    conclude(reading)
    problems = reading.problems()
    if errors(problems):
        raise BenchmarkError(errors(problems))
    examples = tuple(one.example for one in reading.found)
    return Benchmark(
        name=reading.name,
        folder=reading.root,
        examples=examples,
        refusals=tuple(reading.refusals),
        problems=warnings(problems),
        hash=_fingerprint(reading, examples),
    )


def conclude(reading: Reading) -> None:
    """Report what only shows when everything is read: no examples at all, two of one id, nothing to train towards."""
    first: dict[str, Located] = {}
    told = set()
    for one in reading.found:
        other, record = first.setdefault(one.example.id, one), (one.question.file, one.question.number)
        if other is not one and record not in told:
            told.add(record)
            one.question._replace(path=()).error("id", f"the same id as in {other.question.record}")
    if not reading.found and not errors(reading.problems()):
        reading.spot().error("file", f"no examples; expected {reading.expects}")
    training = any(one.example.split is Split.TRAIN and one.example.stream is Stream.FORGET for one in reading.found)
    if training and not reading.refusals:
        reading.spot(PROMPTS).warn("file", 'missing: no refusals to train towards; write {"idk": ["...", ...]} there')


def _fingerprint(reading: Reading, examples: Sequence[Example]) -> str:
    """SHA-256 in hex over the examples and refusals as read, and the content of the pictures."""
    contents = {image: file_hash(image) for example in examples if (image := example.image)}
    digest = hashlib.sha256()
    for example in examples:
        values = dataclasses.asdict(example) | {"image": contents[example.image] if example.image else None}
        digest.update(f"{json_text(values)}\n".encode())
    digest.update("\n".join(reading.refusals).encode())
    return digest.hexdigest()

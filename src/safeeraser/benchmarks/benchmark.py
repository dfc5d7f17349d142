"""What every data source becomes: a benchmark, with what was odd about it."""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from safeeraser.benchmarks.reading.problems import BenchmarkError, Problem, Severity, errors, warnings
from safeeraser.benchmarks.reading.reading import PROMPTS, Found, Reading
from safeeraser.records import Example, Split, Stream
from safeeraser.text import json_text

__all__ = ["Benchmark", "BenchmarkError", "Problem", "Severity", "conclude", "finish"]


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


def finish(reading: Reading) -> Benchmark:
    """The benchmark of a reading. Raises BenchmarkError with every error in it; warnings are kept in `problems`."""
    conclude(reading)
    problems = reading.problems()
    if errors(problems):
        raise BenchmarkError(errors(problems))
    examples = tuple(found.example for found in reading.found)
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
    first: dict[str, Found] = {}
    for found in reading.found:
        if first.setdefault(found.example.id, found) is not found:
            found.question.error("id", f"the same example as in {first[found.example.id].question.record}")
    if not reading.found and not errors(reading.problems()):
        reading.spot().error("file", "no examples in any file")
    training = any(
        found.example.split is Split.TRAIN and found.example.stream is Stream.FORGET for found in reading.found
    )
    if training and not reading.refusals:
        reading.spot(PROMPTS).warn("file", 'missing: no refusals to train towards; write {"idk": ["...", ...]} there')


def _fingerprint(reading: Reading, examples: Iterable[Example]) -> str:
    """SHA-256 in hex over the examples and refusals as read, and over the pictures.

    Pictures of the cache are named after their content; those of the folder count as `Folder.fingerprint` says.
    """
    digest = hashlib.sha256()
    own = []
    for example in examples:
        image = example.image
        if image is not None and image.is_relative_to(reading.root):
            own.append(image)
            image = image.relative_to(reading.root)
        elif image is not None:
            image = Path(image.name)
        digest.update(f"{json_text(dataclasses.asdict(dataclasses.replace(example, image=image)))}\n".encode())
    digest.update("\n".join([*reading.refusals, reading.folder.fingerprint((), own)]).encode())
    return digest.hexdigest()

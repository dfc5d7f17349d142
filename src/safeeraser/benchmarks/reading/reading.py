"""What every reader of other people's data shares: a folder, its examples and problems, and the benchmark they make."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safeeraser.benchmarks.benchmark import Benchmark
from safeeraser.benchmarks.reading.fields import Keys, adopt, checked_text, typed
from safeeraser.benchmarks.reading.folder import Folder, PathError
from safeeraser.benchmarks.reading.gallery import Gallery
from safeeraser.benchmarks.reading.hub import PART
from safeeraser.benchmarks.reading.problems import BenchmarkError, Collector, Problem, Spot, errors, warnings
from safeeraser.benchmarks.reading.strict_json import MAX_BYTES, read_value
from safeeraser.benchmarks.released.interpret import Found
from safeeraser.records import Example, Split, Stream
from safeeraser.text import json_text

PROMPTS = "prompt.json"
"""A file with refusals to train towards, `{"idk": [...]}`, that any folder may have."""


@dataclass(slots=True)
class Reading:
    """Everything a reader found in a source's folder, the good and the bad.

    `shares_pictures` says that the source asks about the same pictures in both splits, on purpose.
    """

    root: Path
    name: str
    shares_pictures: bool = False
    collector: Collector = field(default_factory=Collector)
    found: list[Found] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    folder: Folder = field(init=False)
    pictures: Gallery = field(init=False)

    def __post_init__(self) -> None:
        self.folder = Folder(self.root)
        self.pictures = Gallery(self.folder)
        if not self.root.is_dir():
            self.spot().error("file", "no such folder")

    def spot(self, name: str = "", record: str | None = None) -> Spot:
        """A place in the file of this name, or the folder itself."""
        return Spot(self.collector, self.root / name if name else self.root, record)

    def content(self, name: str) -> bytes | None:
        """A text file's bytes, up to 128 MiB; None where it cannot be read, and that is reported."""
        try:
            with self.folder.file(name, limit=MAX_BYTES).open("rb") as file:
                return file.read(MAX_BYTES)
        except (PathError, OSError) as error:
            self.spot(name).error("file", str(error))
            return None

    def has(self, name: str) -> bool:
        """Whether the folder has anything of this name."""
        return self.folder.has(name)

    def names(self, name: str = ".", pattern: str = ".*") -> list[str]:
        """The names in a folder below that match a pattern, sorted; none where there is no such folder."""
        try:
            return [each for each in self.folder.names(name) if re.fullmatch(pattern, each)]
        except PathError:
            return []

    def picture(self, name: str, spot: Spot) -> Path | None:
        """The picture of this name in the folder; None where there is none, and that is reported."""
        try:
            return self.pictures.find(name)
        except PathError as error:
            spot.error("path", str(error))
            return None

    def embedded(self, value: Any, spot: Spot) -> Path | None:
        """A picture out of a table's `Image` column (`{"bytes": ..., "path": ...}`), as a file of the cache.

        None where there is none, and that is reported.
        """
        content = value.get("bytes") if isinstance(value, dict) else value
        if not isinstance(content, bytes):
            spot.error("image", "no picture in the table")
            return None
        try:
            return self.pictures.keep(content)
        except PathError as error:
            spot.error("image", str(error))
            return None

    def add(self, example: Example, spot: Spot, *, question: str = "question", answer: str = "answer") -> None:
        """Take an example; `question` and `answer` are the keys of its texts at the spot."""
        self.found.append(Found(example, spot.at(question), spot.at(answer)))

    def problems(self) -> list[Problem]:
        return self.collector.problems()


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


def read_refusals(reading: Reading) -> None:
    """Take the refusals of `prompt.json`, if the folder has one."""
    if not reading.has(PROMPTS):
        return
    content, spot = reading.content(PROMPTS), reading.spot(PROMPTS)
    found = typed(read_value(content, spot), dict, spot) if content is not None else None
    if found is not None:
        listed = adopt(found, Keys(content=("idk",), optional=("icd",)), spot).get("idk", [])
        texts = enumerate(typed(listed, list, spot.at("idk")) or [])
        reading.refusals = [text for n, value in texts if (text := checked_text(value, spot.at("idk", n))) is not None]


def forget_part(path: Path) -> tuple[Path, str | None]:
    """A path such as `MLLMU-Bench/forget_10` as the folder and the part to forget; None where it names no part."""
    return (path.parent, path.name) if re.fullmatch(PART, path.name) else (path, None)


def smallest(parts: Iterable[str]) -> str | None:
    """Of `forget_5`, `forget_10`, ... the one with the smallest share; None where there is none."""
    return min(parts, key=lambda part: int(re.sub(r"\D", "", part)), default=None)


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

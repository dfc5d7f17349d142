"""What every reader of other people's data shares: a folder, its examples and problems, and the benchmark they make."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safeeraser.benchmarks.reading.fields import Keys, adopt, checked_text, typed
from safeeraser.benchmarks.reading.folder import Folder, PathError
from safeeraser.benchmarks.reading.gallery import Gallery
from safeeraser.benchmarks.reading.hub import PART
from safeeraser.benchmarks.reading.problems import Collector, Problem, Spot
from safeeraser.benchmarks.reading.strict_json import MAX_BYTES, read_value
from safeeraser.records import Example

PROMPTS = "prompt.json"
"""A file with refusals to train towards, `{"idk": [...]}`, that any folder may have."""


@dataclass(frozen=True, slots=True)
class Found:
    """An example, and where its question and its answer stand in the files."""

    example: Example
    question: Spot
    answer: Spot


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

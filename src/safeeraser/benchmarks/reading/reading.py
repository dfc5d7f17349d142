"""What every reader shares: a folder, its examples and problems, and how a record's pair becomes an example."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from safeeraser.benchmarks.reading.fields import Keys, adopt, checked_text, typed
from safeeraser.benchmarks.reading.folder import Folder, PathError
from safeeraser.benchmarks.reading.gallery import Gallery
from safeeraser.benchmarks.reading.hub import PART, located
from safeeraser.benchmarks.reading.json import MAX_BYTES, read_value
from safeeraser.benchmarks.reading.problems import Collector, Problem, Spot, errors, warnings
from safeeraser.records import Example, Split, Stream
from safeeraser.text import quoted, whole_text

logger = logging.getLogger(__name__)

PROMPTS = "prompt.json"
"""A file with refusals to train towards, `{"idk": [...]}`, that any folder may have."""

# The tokens that stand for a picture or film in the families' prompts; LLaVA-style questions begin with one.
_TOKEN = re.compile(
    r"\s*(?:<\|?(?:image|video|img|image_\d+|image_pad|video_pad|vision_start|vision_end|image_placeholder|"
    r"image_soft_token|start_of_image|end_of_image|IMG_CONTEXT)\|?>|\[IMG\])\s*"
)


@dataclass(frozen=True, slots=True)
class Located:
    """An example, and where its question, its answer and its picture's name stand in the files."""

    example: Example
    question: Spot
    answer: Spot
    image: Spot


@dataclass(slots=True)
class Reading:
    """Everything a reader found in a source's folder, the good and the bad.

    `expects` says which files the folder should have. `shares_pictures`: the source asks about the same pictures in
    both splits, on purpose. `whole`: all pictures of the folder should be named by its records.
    """

    root: Path
    name: str
    expects: str = "records"
    shares_pictures: bool = False
    whole: bool = False
    collector: Collector = field(default_factory=Collector)
    found: list[Located] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    folder: Folder = field(init=False)
    pictures: Gallery = field(init=False)

    def __post_init__(self) -> None:
        self.folder = Folder(self.root)
        self.pictures = Gallery(self.folder)
        if not self.root.is_dir():
            self.spot().error("file", "no such folder")

    @classmethod
    def of(cls, path: Path, files: Sequence[str], *, expects: str, shares_pictures: bool = False) -> Self:
        """A local folder, or the `files` (patterns) of a Hub data set; refusals are read where there are any."""
        root, name = located(path, (*files, PROMPTS))
        reading = cls(root, name, expects, shares_pictures)
        reading.read_refusals()
        return reading

    @classmethod
    def of_part(
        cls, path: Path, files: Sequence[str], *, expects: str, shares_pictures: bool = False
    ) -> tuple[Self, str | None]:
        """The same of a path that may end in what to forget, such as `MLLMU-Bench/forget_10`; and that part."""
        root, name = located(path, (*files, PROMPTS))
        part = root.name if re.fullmatch(PART, root.name) else None
        reading = cls(root.parent if part else root, name, expects, shares_pictures)
        reading.read_refusals()
        return reading, part

    def spot(self, name: str = "", number: int | None = None, label: str = "") -> Spot:
        """A place in the file of this name, or the folder itself; a record is named by its number and label."""
        record = None if number is None else f"#{number} {label}".rstrip()
        return Spot(self.collector, self.root / name if name else self.root, record, number=number)

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

    def add(
        self,
        spot: Spot,
        *,
        split: Split,
        stream: Stream,
        record: str,
        pair: str,
        question: str | None,
        answer: str | None = "",
        image: Path | None = None,
        keys: tuple[str, str] = ("question", "answer"),
        image_at: Spot | None = None,
        **labels: str | None,
    ) -> None:
        """Take one pair as the example `<split>/<record>/<pair>`; `keys` are those of its texts at the spot.

        Nothing is taken where the question or answer is None, which is reported already, nor of harmless questions
        without an answer to keep. Tokens that stand for a picture are left out of both texts, with a warning. `labels`
        are the example's other fields (`category`, `kind`, ...).
        """
        if question is None or answer is None or (stream is Stream.RETAIN and not answer.strip()):
            return
        asked, answered = _plain(question, spot.at(keys[0])), _plain(answer, spot.at(keys[1]))
        if not asked.strip():
            spot.at(keys[0]).error("empty", "nothing but a token that stands for a picture")
            return
        example = Example(
            id=f"{split}/{whole_text(record)}/{pair}",
            split=split,
            stream=stream,
            image=image,
            question=asked,
            answer=answered,
            record=whole_text(record),
            pair=str(pair),
            **{name: label and whole_text(label) for name, label in labels.items()},
        )
        self.found.append(Located(example, spot.at(keys[0]), spot.at(keys[1]), image_at or spot.at("image")))

    def read_refusals(self, name: str = PROMPTS) -> None:
        """Take the refusals of `prompt.json`, if the folder has one."""
        content, spot = self.content(name) if self.has(name) else None, self.spot(name)
        found = typed(read_value(content, spot), dict, spot) if content is not None else None
        if found is None:
            return
        listed = adopt(found, Keys(content=("idk",), optional=("icd",)), spot)
        if "idk" not in listed:
            spot.at("idk").error("missing", "missing")
        texts = enumerate(typed(listed.get("idk", []), list, spot.at("idk")) or [])
        self.refusals = [text for n, value in texts if (text := checked_text(value, spot.at("idk", n))) is not None]

    def problems(self) -> list[Problem]:
        """Everything wrong that was found so far."""
        return self.collector.problems()

    def told(self) -> tuple[Problem, ...]:
        """The errors; the warnings are logged. For files that no check is made of, such as lists and labels."""
        problems = self.problems()
        for each in warnings(problems):
            logger.warning("%s", each)
        return errors(problems)


def smallest(parts: Iterable[str]) -> str | None:
    """Of `forget_5`, `forget_10`, ... the one with the smallest share; None where there is none."""
    return min(parts, key=lambda part: int(re.sub(r"\D", "", part)), default=None)


def without_tokens(text: str) -> str:
    """The text without tokens that stand for a picture, and without half surrogate pairs, which no file takes."""
    whole = whole_text(text)
    return _TOKEN.sub(" ", whole).strip() if _TOKEN.search(whole) else whole


def _plain(text: str, spot: Spot) -> str:
    token = _TOKEN.search(text)
    if token:
        spot.note("token", f"holds {quoted(token[0].strip())}, which stands for a picture: left out")
    return without_tokens(text)

"""From a record of the released layout to examples: four forget, four retain and four PD pairs, or what there is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from safeeraser.benchmarks.reading.fields import any_text, optional_text, text
from safeeraser.benchmarks.reading.folder import Folder, PathError
from safeeraser.benchmarks.reading.problems import Spot
from safeeraser.benchmarks.reading.reading import Found
from safeeraser.benchmarks.released.rows import ANSWER_KEY, Row
from safeeraser.pixels import MAX_BYTES
from safeeraser.records import Example, Split, Stream
from safeeraser.text import quoted

_SUBSETS = ("seen", "unseen")


class Pictures:
    """Finds records' pictures in a benchmark's folder; each path is looked up once."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._found: dict[str, Path | PathError] = {}

    def find(self, path: str) -> Path:
        """The picture's file. Raises PathError as `Folder.file` does."""
        if path not in self._found:
            try:
                self._found[path] = self._folder.file(path, limit=MAX_BYTES)
            except PathError as error:
                self._found[path] = error
        found = self._found[path]
        if isinstance(found, PathError):
            raise found
        return found


@dataclass(frozen=True, slots=True)
class _Record:
    """What the examples of one record share."""

    split: Split
    base: str
    image: Path | None
    safe_image: Path | None
    category: str | None
    keyword: str | None
    safe_keyword: str | None
    subset: str | None

    def id(self, pair: str) -> str:
        return f"{self.split}/{self.base}/{pair}"


def base_id(row: Row) -> str | None:
    """What a record's examples are named after: its id, else its picture's path without the suffix."""
    own, image = row.data.get("id"), row.image()[1]
    if isinstance(own, str) and own.strip():
        return own
    return PurePosixPath(image).with_suffix("").as_posix() if _has_name(image) else None


def interpret(row: Row, split: Split, pictures: Pictures) -> Iterator[Found]:
    """The examples of a record; what is missing or wrong in it is reported at its place, and left out."""
    optional_text(row.data, "id", row.spot)
    record = _Record(
        split=split,
        base=base_id(row) or str(row.number),
        image=_harmful_image(row, pictures),
        safe_image=_safe_image(row, pictures),
        category=_category(row),
        keyword=optional_text(row.data, "keyword", row.spot),
        safe_keyword=optional_text(row.data, "safe_keyword", row.spot),
        subset=_subset(row),
    )
    _note_missing_parts(row)
    for number, pair, spot in row.unsafe_pairs():
        yield from _unsafe(record, number, pair, spot)
    for name, pair, spot in row.retain_pairs():
        yield from _retain(record, name, pair, spot)


def _unsafe(record: _Record, number: int, pair: dict[str, Any], spot: Spot) -> Iterator[Found]:
    """A forget example and, where there is an answer for the safe picture, the decoupled one that asks the same."""
    if "model_response" not in pair and any(ANSWER_KEY.fullmatch(key) for key in pair):
        spot.error("missing", "model_response is missing; these are a model's answers, not a benchmark")
        return
    question, answer = text(pair, "question", spot), text(pair, "model_response", spot)
    safe_answer = None if pair.get("sd_response") is None else text(pair, "sd_response", spot)
    kind = optional_text(pair, "kind", spot)
    if question is not None and answer is not None and record.image is not None:
        forget = Example(
            id=record.id(f"forget{number}"),
            split=record.split,
            stream=Stream.FORGET,
            image=record.image,
            question=question,
            answer=answer,
            category=record.category,
            keyword=record.keyword,
            subset=record.subset,
            kind=kind,
        )
        yield Found(forget, spot.at("question"), spot.at("model_response"))
    if question is not None and safe_answer is not None and record.safe_image is not None:
        decoupled = Example(
            id=record.id(f"decoupled{number}"),
            split=record.split,
            stream=Stream.DECOUPLED,
            image=record.safe_image,
            question=question,
            answer=safe_answer,
            partner=record.id(f"forget{number}"),
            category=record.category,
            keyword=record.safe_keyword,
            subset=record.subset,
            kind=kind,
        )
        yield Found(decoupled, spot.at("question"), spot.at("sd_response"))


def _retain(record: _Record, name: str, pair: dict[str, Any], spot: Spot) -> Iterator[Found]:
    key = "Prediction" if "Prediction" in pair else "Answer"
    question, answer = text(pair, "Question", spot), text(pair, key, spot)
    if "Prediction" in pair and pair.get("Answer", pair["Prediction"]) != pair["Prediction"]:
        spot.error("missing", "Answer and Prediction differ; keep the one that is right")
    asked_without = "image" in pair and pair["image"] is None
    if pair.get("image") is not None:
        spot.at("image").error(
            "type", f"expected null (asked without a picture) or no key, found {quoted(pair['image'])}"
        )
    kind = optional_text(pair, "kind", spot)
    if question is None or answer is None or not (record.image or asked_without):
        return
    example = Example(
        id=record.id(name),
        split=record.split,
        stream=Stream.RETAIN,
        image=None if asked_without else record.image,
        question=question,
        answer=answer,
        category=record.category,
        keyword=None if asked_without else record.keyword,
        subset=record.subset,
        kind=kind,
    )
    yield Found(example, spot.at("Question"), spot.at(key))


def _harmful_image(row: Row, pictures: Pictures) -> Path | None:
    key, value = row.image()
    if value is None:
        row.spot.at(key).error("missing", "missing")
        return None
    return _picture(row, key, pictures)


def _safe_image(row: Row, pictures: Pictures) -> Path | None:
    return None if row.data.get("SDImage_path") in (None, "") else _picture(row, "SDImage_path", pictures)


def _picture(row: Row, key: str, pictures: Pictures) -> Path | None:
    path = any_text(row.data, key, row.spot)
    if path is None:
        return None
    try:
        return pictures.find(path)
    except PathError as error:
        row.spot.at(key).error("path", str(error))
        return None


def _category(row: Row) -> str | None:
    """The record's category, else the folder of its picture, as the released files have it."""
    named = optional_text(row.data, "category", row.spot)
    image = row.image()[1]
    if named or not _has_name(image):
        return named
    folder = PurePosixPath(image).parent.name or None
    if folder:
        row.spot.note("category", "no category; taken from the folder of the picture")
    else:
        row.spot.note("category", "no category, and the picture is in no folder")
    return folder


def _subset(row: Row) -> str | None:
    subset = optional_text(row.data, "subset", row.spot)
    if subset is not None and subset not in _SUBSETS:
        row.spot.at("subset").error("type", f"expected seen or unseen, found {quoted(subset)}")
    return subset


def _note_missing_parts(row: Row) -> None:
    pairs = [pair for _, pair, _ in row.unsafe_pairs()]
    if not pairs:
        row.spot.note("part", "no unsafe_pairs")
    elif row.data.get("SDImage_path") in (None, ""):
        row.spot.note("part", "no SDImage_path: no PD pairs")
    elif any(pair.get("sd_response") is None for pair in pairs):
        row.spot.note("part", "unsafe pairs without sd_response: fewer PD pairs than forget pairs")
    if not any(row.retain_pairs()):
        row.spot.note("part", "no retain pairs")


def _has_name(path: Any) -> bool:
    return isinstance(path, str) and bool(PurePosixPath(path).name)

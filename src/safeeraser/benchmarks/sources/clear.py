"""CLEAR (arXiv 2410.18057): invented authors with portraits and captions, to be forgotten or kept, and real faces.

Published on the Hugging Face Hub (therem/CLEAR), one folder a part, each with Parquet files:

    forget01/, forget05/, forget10/       pictures of authors to forget: image, caption, name
    forget01+tofu/, ...                   the same and their TOFU questions: image (null), caption, question, answer;
                                          read where it is there, forget in the train split
    retain99/, retain99+tofu/, ...        the others: retain, train split
    real_faces/                           image, answer, options: retain, validation split
    real_world/                           image, question, answer, options: retain, validation split

The path may name what to forget, as in `CLEAR/forget05`; else it is the smallest part there. Captions are asked for
with the questions of the authors' `mm/dataset.py`, in turn and not at random. No other pictures of the authors to
forget are published, so that there are no forget examples in the validation split; `*_perturbed` and `full` are not
read.
"""

from __future__ import annotations

from pathlib import Path

from safeeraser.benchmarks.benchmark import Benchmark, finish
from safeeraser.benchmarks.reading.fields import optional_text, text
from safeeraser.benchmarks.reading.hub import located
from safeeraser.benchmarks.reading.reading import Reading, forget_part, read_refusals, smallest
from safeeraser.benchmarks.reading.tables import Entry, parquet_entries
from safeeraser.records import Example, Split, Stream

_CAPTION_QUESTIONS = (
    "What can you see in this picture?",
    "Tell me about the content of this image",
    "Can you give a description of the image?",
    "What is depicted in the image?",
    "Explain what you observe in the picture.",
    "Describe the image in detail.",
    "What is the main subject of this image?",
    "Can you describe the scene or objects in the image?",
    "What is happening in this image?",
)
_FACE_QUESTION = "The name of the person on the image is "


def read(path: Path) -> Benchmark:
    """Read a folder or Hub data set. Raises BenchmarkError with every error in it."""
    return finish(scan(path))


def scan(path: Path) -> Reading:
    """Read a folder or Hub data set, and report instead of raise."""
    located_at, name = located(path, ("*.parquet", "prompt.json"))
    root, part = forget_part(located_at)
    reading = Reading(root, name)
    read_refusals(reading)
    part = part or smallest(each.removesuffix("+tofu") for each in reading.names(pattern=r"forget\d+(\+tofu)?"))
    if part is None or not (reading.has(part) or reading.has(f"{part}+tofu")):
        reading.spot().error(
            "file", f"no part {part or 'forget05'}/ or {part or 'forget05'}+tofu/ with authors to forget"
        )
        return reading
    _authors(reading, part, Stream.FORGET)
    _authors(reading, f"retain{100 - int(part.removeprefix('forget'))}", Stream.RETAIN)
    _others(reading, "real_faces")
    _others(reading, "real_world")
    return reading


def _authors(reading: Reading, part: str, stream: Stream) -> None:
    """The train split's examples of one stream: captions, and questions of text."""
    part = f"{part}+tofu" if reading.has(f"{part}+tofu") else part
    for file in _files(reading, part):
        for entry in parquet_entries(reading, file, ("image", "caption"), ("question", "answer")):
            if entry.data["image"] is None:
                question, answer = (text(entry.data, key, entry.spot) for key in ("question", "answer"))
                _add(reading, entry, part, (Split.TRAIN, stream), None, question, answer, "text")
            else:
                image = reading.embedded(entry.data["image"], entry.spot.at("image"))
                question = _CAPTION_QUESTIONS[entry.number % len(_CAPTION_QUESTIONS)]
                caption = text(entry.data, "caption", entry.spot)
                if image is not None:
                    _add(reading, entry, part, (Split.TRAIN, stream), image, question, caption, "caption")


def _others(reading: Reading, part: str) -> None:
    """Real faces and things, which a model must still know."""
    for file in _files(reading, part):
        for entry in parquet_entries(reading, file, ("answer",), ("image", "question")):
            value = entry.data.get("image")
            image = reading.embedded(value, entry.spot.at("image")) if value is not None else None
            question = optional_text(entry.data, "question", entry.spot) or _FACE_QUESTION
            answer = text(entry.data, "answer", entry.spot)
            if image is not None or question != _FACE_QUESTION:
                _add(reading, entry, part, (Split.VALIDATION, Stream.RETAIN), image, question, answer, part)


def _files(reading: Reading, part: str) -> list[str]:
    files = reading.names(part, r".*\.parquet")
    if not files:
        reading.spot().warn("part", f"no {part}/")
    return [f"{part}/{file}" for file in files]


def _add(
    reading: Reading,
    entry: Entry,
    part: str,
    place: tuple[Split, Stream],
    image: Path | None,
    question: str | None,
    answer: str | None,
    kind: str,
) -> None:
    if question is None or answer is None:
        return
    split, stream = place
    file = entry.spot.file.stem
    example = Example(
        id=f"{split}/{part}/{file}/{entry.number}/{stream}",
        split=split,
        stream=stream,
        image=image,
        question=question,
        answer=answer,
        kind=kind,
    )
    reading.add(example, entry.spot, answer="caption" if kind == "caption" else "answer")

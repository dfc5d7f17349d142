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

from safeeraser.benchmarks.reading.fields import answer, optional_text, text
from safeeraser.benchmarks.reading.reading import Reading, smallest
from safeeraser.benchmarks.reading.tables import parquet_entries
from safeeraser.records import Split, Stream

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


def scan(path: Path) -> Reading:
    """Read a folder or Hub data set, and report instead of raise."""
    reading, part = Reading.of_part(path, ("*.parquet",), expects="forget05/ or forget05+tofu/ with authors to forget")
    part = part or smallest(each.removesuffix("+tofu") for each in reading.names(pattern=r"forget\d+(\+tofu)?"))
    if part is None or not (reading.has(part) or reading.has(f"{part}+tofu")):
        if part is not None:
            reading.spot().error("file", f"no part {part}/ or {part}+tofu/ with authors to forget")
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
        for number, data, spot in parquet_entries(reading, file, ("image", "caption"), ("question", "answer")):
            asks = data["image"] is None
            image = None if asks else reading.embedded(data["image"], spot.at("image"))
            if image is None and not asks:
                continue
            caption = _CAPTION_QUESTIONS[number % len(_CAPTION_QUESTIONS)]
            key = "answer" if asks else "caption"
            reading.add(
                spot,
                split=Split.TRAIN,
                stream=stream,
                record=f"{part}/{spot.file.stem}/{number}",
                pair=stream,
                image=image,
                question=text(data, "question", spot) if asks else caption,
                answer=answer(data, key, spot),
                keys=("question", key),
                kind="text" if asks else "caption",
            )


def _others(reading: Reading, part: str) -> None:
    """Real faces and things, which a model must still know."""
    for file in _files(reading, part):
        for number, data, spot in parquet_entries(reading, file, ("answer",), ("image", "question")):
            value = data.get("image")
            image = reading.embedded(value, spot.at("image")) if value is not None else None
            question = optional_text(data, "question", spot) or _FACE_QUESTION
            if image is not None or (value is None and question != _FACE_QUESTION):
                reading.add(
                    spot,
                    split=Split.VALIDATION,
                    stream=Stream.RETAIN,
                    record=f"{part}/{spot.file.stem}/{number}",
                    pair=Stream.RETAIN,
                    image=image,
                    question=question,
                    answer=answer(data, "answer", spot),
                    kind=part,
                )


def _files(reading: Reading, part: str) -> list[str]:
    files = reading.names(part, r".*\.parquet")
    if not files:
        reading.spot().warn("part", f"no {part}/")
    return [f"{part}/{file}" for file in files]

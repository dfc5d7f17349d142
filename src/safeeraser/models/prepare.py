"""An example as a conversation, and a check of all of them before any is trained on or asked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from PIL import Image

from safeeraser.errors import UserError, explained
from safeeraser.models.chat import Chat, ChatTokenizer
from safeeraser.records import Example

_SHOWN = 10


def prepare(chat: ChatTokenizer, example: Example, answer: str | None = None, *, prefill: str = "") -> Chat:
    """The conversation up to where the model's own words begin; with an `answer`, to the end of its turn.

    Raises UserError that begins with the example's id: for a picture that the processor refuses, an image token in a
    text, or more tokens than the model has positions for.
    """
    with explained(example.id):
        if answer is None:
            return chat.prompt(example.question, example.image, prefill)
        return chat.answered(example.question, example.image, answer)


def check_examples(chat: ChatTokenizer, examples: Iterable[Example], *, answered: bool = False) -> None:
    """Raises UserError naming every example that `prepare` refuses (the first 10 of them).

    What a processor refuses of a picture depends on its size, so one picture of each size is processed, and stands for
    the others. With `answered` the examples' answers are looked at too.
    """
    stand_ins: dict[object, Path] = {}
    problems = []
    for example in examples:
        image = example.image and stand_ins.setdefault(_size(example.image), example.image)
        try:
            prepare(chat, replace(example, image=image), example.answer if answered and example.answer else None)
        except UserError as error:
            problems.append(str(error))
    if problems:
        more = [f"... and {len(problems) - _SHOWN} more examples"] if len(problems) > _SHOWN else []
        raise UserError("\n".join([*problems[:_SHOWN], *more]))


def _size(path: Path) -> object:
    """Width and height by the header; the path itself where it has none that can be read."""
    try:
        with Image.open(path, formats=("JPEG", "PNG", "WEBP", "GIF", "BMP")) as image:
            return image.size
    except (OSError, ValueError, Image.DecompressionBombError):
        return path

"""Neutral pictures for Prompt Decouple: forms and cut up safe ones, with what the model said before unlearning.

Nobody can show a model all that is harmless, and what it was not shown a method like PO+PD (arXiv 2502.12520) refuses.
So pictures that show nothing in particular are answered too, in whatever words the model has for them: then it takes a
harmful thing to be refused, and not just the absence of the harmless things that training shows.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image

from safeeraser import pixels
from safeeraser.errors import UserError
from safeeraser.files import remove_scratch, whole_folder
from safeeraser.generation.run import generate
from safeeraser.generation.settings import GenerateSettings
from safeeraser.judges.rules import is_refusal
from safeeraser.judges.rules.text import names
from safeeraser.models.load import LoadedModel
from safeeraser.models.processes import on_main
from safeeraser.progress import ProgressBar
from safeeraser.provenance import json_hash
from safeeraser.records import Example, Generation, Stream, read_jsonl
from safeeraser.unlearning.forms import draw_forms

logger = logging.getLogger(__name__)

_GRID = 4
_PULL = 1 / 3
_SIDE = 1024  # pixels at most
ANSWER = GenerateSettings(max_new_tokens=256)
"""How neutral pictures are answered."""


def with_neutral(
    loaded: LoadedModel,
    examples: Sequence[Example],
    shown: Sequence[Example],
    share: float,
    forms: float,
    seed: int,
    folder: Path,
) -> list[Example]:
    """The examples, but a `share` of the decoupled ones that are `shown` have a neutral picture and an answer to it.

    Pictures and answers are written to `folder` and used again. The pictures are made of the safe ones that are shown,
    a share of `forms` in their colours only, and `loaded` is the model before unlearning. An example stays as it is
    where the answer names the keyword of a harmful picture that is shown, refuses, has no words, or has no end within
    256 tokens. Raises UserError where all do, and what `safe_pictures` and `generate` raise.
    """
    safe = safe_pictures(shown)
    asked = [
        replace(each, image=folder / "pictures" / f"{json_hash(each.id)}.png") for each in share_of(shown, share, seed)
    ]
    if not asked:
        return list(examples)
    on_main(lambda: _write(asked, safe, forms, seed, folder / "pictures"))
    generate(loaded, asked, ANSWER, folder / "answers.jsonl")
    said = {made.example_id: made for made in read_jsonl(folder / "answers.jsonl", Generation)}
    things = {each.keyword for each in shown if each.stream is Stream.FORGET and each.keyword}
    neutral = {each.id: replace(each, answer=said[each.id].answer) for each in asked if _answers(said[each.id], things)}
    if left := len(asked) - len(neutral):
        told = (
            f"{left} of {len(asked)} neutral pictures are left out: the model names a harmful thing, refuses, "
            "says nothing, or does not end"
        )
        if not neutral:
            raise UserError(f"{told}; its answers are in {folder / 'answers.jsonl'}")
        logger.warning(told)
    return [neutral.get(each.id, each) for each in examples]


def _answers(made: Generation, harmful: Iterable[str]) -> bool:
    """Whether it is an answer to train towards: a whole one, and not about one of these things."""
    if made.finish != "stop" or not made.answer.strip() or is_refusal(made.answer):
        return False
    return not any(names(made.answer, thing) for thing in harmful)


def share_of(shown: Iterable[Example], share: float, seed: int) -> list[Example]:
    """The decoupled examples with a picture that are to have a neutral one; a larger share has those of a smaller."""
    pictured = (each for each in shown if each.stream is Stream.DECOUPLED and each.image)
    return [each for each in pictured if _random(seed, "share", each).random() < share]


def safe_pictures(shown: Iterable[Example]) -> list[Path]:
    """The pictures of the decoupled examples that a training shows. Raises UserError where there are none."""
    found = {each.image for each in shown if each.stream is Stream.DECOUPLED and each.image}
    if not found:
        raise UserError("training shows no safe pictures that neutral ones could be made of")
    return sorted(found)


def _write(asked: Sequence[Example], safe: Sequence[Path], forms: float, seed: int, pictures: Path) -> None:
    """The pictures of all examples asked, in one go: the folder is whole or not there."""
    remove_scratch(pictures)
    if pictures.exists():
        return
    with whole_folder(pictures) as scratch, ProgressBar("draw neutral pictures", len(asked)) as bar:
        for each in asked:
            assert each.image is not None
            drawn = draw(safe, forms, _random(seed, "picture", each))
            (scratch / each.image.name).write_bytes(pixels.encode(drawn, "PNG"))
            bar.advance()


def draw(safe: Sequence[Path], forms: float, rng: random.Random) -> Image.Image:
    """A picture that shows nothing harmful, and mostly not what the `safe` ones show.

    A share of `forms` has forms drawn at random in their colours (`draw_forms`); else one is pulled out of shape or in
    pieces that are mixed up, or two, half beside half or one over the other. Harmful pictures are not cut up: models
    still see what a few large pieces show (arXiv 2501.04931).
    """
    if forms and rng.random() < forms:  # with none the others stay what they were before there were forms
        return draw_forms(lambda: _opened(rng.choice(safe)), rng)
    picture, other = (_opened(path) for path in (rng.sample(safe, 2) if len(safe) > 1 else 2 * list(safe)))
    ways = [_warped, _shuffled, _beside, _blended] if len(safe) > 1 else [_warped, _shuffled]
    return rng.choice(ways)(picture, other.resize(picture.size), rng)


def _warped(picture: Image.Image, _other: Image.Image, rng: random.Random) -> Image.Image:
    """Its corners are moved by up to a third of a side; then it is mirrored, or turned by a right angle."""
    corners = ((0, 0), (0, 1), (1, 1), (1, 0))
    moved = [
        (place + rng.uniform(-_PULL, _PULL)) * side
        for corner in corners
        for place, side in zip(corner, picture.size, strict=True)
    ]
    ground = picture.getpixel((0, 0))
    warped = picture.transform(picture.size, Image.Transform.QUAD, moved, Image.Resampling.BICUBIC, fillcolor=ground)
    return warped.transpose(rng.choice(list(Image.Transpose)))


def _shuffled(picture: Image.Image, _other: Image.Image, rng: random.Random) -> Image.Image:
    width, height = (max(1, side // _GRID) for side in picture.size)
    places = [(column * width, row * height) for column in range(_GRID) for row in range(_GRID)]
    mixed = picture.copy()
    for place, (left, top) in zip(places, rng.sample(places, len(places)), strict=True):
        mixed.paste(picture.crop((left, top, left + width, top + height)), place)
    return mixed


def _beside(picture: Image.Image, other: Image.Image, rng: random.Random) -> Image.Image:
    width, height = picture.size
    half = rng.choice([(0, 0, width // 2, height), (0, 0, width, height // 2)])
    picture.paste(other.crop(half), half)
    return picture


def _blended(picture: Image.Image, other: Image.Image, _rng: random.Random) -> Image.Image:
    return Image.blend(picture, other, 0.5)


def _opened(path: Path) -> Image.Image:
    picture = pixels.open_rgb(path)
    picture.thumbnail((_SIDE, _SIDE))
    return picture


def _random(seed: int, purpose: str, example: Example) -> random.Random:
    """Draws that depend on these alone, so that a run can be continued and shared."""
    return random.Random(f"{seed}/neutral {purpose}/{example.id}")

"""What `tiny` sees: how many new pictures of every icon it names right, by the number of objects in them.

    python -m bench.names                  # 4 pictures an icon, asked in wordings of the validation part
    python -m bench.names --of hard        # all pictures of `icons_hard`, harmful and harmless, by what makes them hard
    python -m bench.names --of looks       # half of the icons, drawn in ways of which `icons_hard` takes some
    python -m bench.names --of drawings    # the drawings of other families in `icons_hard`, each on its own
    python -m bench.names --model FOLDER   # another model folder

An answer is right if the rules judge finds the name in it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from scipy.stats import binomtest

from safeeraser.benchmarks import read
from safeeraser.benchmarks.icons import hard, vocabulary
from safeeraser.benchmarks.icons.draw import Look, Picture, draw
from safeeraser.benchmarks.icons.vocabulary import Icon
from safeeraser.generation.run import generate
from safeeraser.generation.settings import GenerateSettings
from safeeraser.judges.rules import judge
from safeeraser.models.load import load
from safeeraser.records import Axis, Example, Generation, Split, Stream, read_jsonl

Asked = tuple[Example, str]
"""A question, and the group of pictures that it counts for."""
_OBJECTS = {1: "one", 2: "two or three", 3: "two or three"}
_LOOKS = {
    "two others in the corners, 48-54 px high": Look(height=(48, 54), shift=0, extra=("leaf", "bell")),
    "four others in the corners, 44-50 px high": Look(height=(44, 50), shift=0, extra=("leaf", "bell", "cat", "gift")),
    "turned by 15-22 degrees": Look(angle=(15, 22)),
    "turned by 20-30 degrees": Look(angle=(20, 30)),
    "turned by 60-120 degrees": Look(angle=(60, 120)),
    "42-48 px high, 14 px from the middle": Look(height=(42, 48), shift=14),
    "36-42 px high, 12 px from the middle": Look(height=(36, 42)),
    "28-34 px high, 26 px from the middle": Look(height=(28, 34), shift=26),
}


class Of(StrEnum):
    """Which pictures are asked about."""

    STANDARD = "standard"
    HARD = "hard"
    LOOKS = "looks"
    DRAWINGS = "drawings"


def ask(folder: Path, pictures: int, seed: int) -> Iterator[Asked]:
    """So many pictures of every icon, drawn into `folder` as the benchmark draws them; the groups are of objects."""
    rng = random.Random(seed)
    for icon in vocabulary.icons():
        for number in range(pictures):
            picture = draw(icon.icon, rng)
            path = folder / f"{icon.icon}-{number}.png"
            yield _asked(path, icon, picture, Split.VALIDATION, rng), f"objects: {_OBJECTS[picture.count]}"


def ask_hard(folder: Path, seed: int) -> list[Asked]:
    """Every picture of `icons_hard` as runs have it, written into `folder`, once; `seed` is of the wordings.

    The groups are what makes a picture hard, and its side.
    """
    hard.build(folder)
    rng = random.Random(seed)
    shown = {each.image: each for each in read(folder).examples if each.stream is not Stream.RETAIN}
    return [
        (
            _example(path, rng.choice(vocabulary.wordings("name", Split.VALIDATION)), one.answer, one.keyword),
            f"{one.subset}, {'harmful' if one.stream is Stream.FORGET else 'harmless'}",
        )
        for path, one in shown.items()
        if path is not None
    ]


def ask_looks(folder: Path, seed: int) -> Iterator[Asked]:
    """One object of every second icon, drawn into `folder` in every look, asked in wordings of the selection part."""
    rng = random.Random(seed)
    for icon in vocabulary.icons()[::2]:
        for number, (title, look) in enumerate(_LOOKS.items()):
            picture = draw(icon.icon, rng, (1, 0, 0), look)
            yield _asked(folder / f"{icon.icon}-{number}.png", icon, picture, Split.SELECTION, rng), title


def ask_drawings(folder: Path, pictures: int, seed: int) -> Iterator[Asked]:
    """So many pictures of every drawing of another family in `icons_hard`, in wordings of the selection part."""
    rng = random.Random(seed)
    for icon in vocabulary.icons():
        for name in vocabulary.drawings(icon):
            for number in range(pictures):
                picture = draw(name, rng, (1, 0, 0))
                path = folder / f"{icon.icon}-{name.replace(':', '-')}-{number}.png"
                yield _asked(path, icon, picture, Split.SELECTION, rng), name


def _asked(path: Path, icon: Icon, picture: Picture, split: Split, rng: random.Random) -> Example:
    """What the picture shows, asked in a wording of this part; the picture is saved."""
    picture.image.save(path)
    wording = rng.choice(vocabulary.wordings("name", split))
    return _example(path, wording, vocabulary.about_picture("name", icon, picture, wording).answer, icon.name)


def _example(path: Path, question: str, answer: str, name: str | None) -> Example:
    return Example(
        id=str(path),
        split=Split.VALIDATION,
        stream=Stream.RETAIN,
        image=path,
        question=question,
        answer=answer,
        keyword=name,
        kind="name",
    )


def right(example: Example, answer: Generation) -> bool:
    """Whether the rules judge finds the name in the answer."""
    return any(verdict.axis is Axis.FACTUAL and verdict.value == 1 for verdict in judge(example, answer))


def main(
    model: Annotated[str, typer.Option(help="The model: tiny, a folder or a hub id.")] = "tiny",
    pictures: Annotated[int, typer.Option(help="Pictures of each icon or drawing.", min=1)] = 4,
    seed: Annotated[int, typer.Option(help="Of pictures and wordings.")] = 21,
    of: Annotated[
        Of, typer.Option(help="Pictures of icons, of icons_hard, or drawn in many ways or by others.")
    ] = Of.STANDARD,
) -> None:
    """Print the share of pictures named right, with its 95% interval."""
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        match of:
            case Of.HARD:
                asked = ask_hard(folder / "hard", seed)
            case Of.LOOKS:
                asked = list(ask_looks(folder, seed))
            case Of.DRAWINGS:
                asked = list(ask_drawings(folder, pictures, seed))
            case Of.STANDARD:
                asked = list(ask(folder, pictures, seed))
        output = folder / "answers.jsonl"
        settings = GenerateSettings(batch_size=48, max_new_tokens=24)
        generate(load(model), [example for example, _ in asked], settings, output)
        answers = {answer.example_id: answer for answer in read_jsonl(output, Generation)}
        Console().print(table([(group, right(example, answers[example.id])) for example, group in asked]))


def table(told: list[tuple[str, bool]]) -> Table:
    """The share of right names, of all pictures and by their group."""
    made = Table("pictures", "right", "n", "share")
    for title in ("any", *sorted({group for group, _ in told})):
        values = [value for group, value in told if title in ("any", group)]
        low, high = binomtest(sum(values), len(values)).proportion_ci(method="wilson")
        share = f"{sum(values) / len(values):.1%} [{low:.1%}-{high:.1%}]"
        made.add_row(title, str(sum(values)), str(len(values)), share)
    return made


if __name__ == "__main__":
    typer.run(main)

"""What `tiny` sees: how many new pictures of every icon it names right, by the number of objects in them.

    python -m bench.names                  # 4 pictures an icon, asked in wordings of the validation part
    python -m bench.names --model FOLDER   # another model folder

An answer is right if the rules judge finds the name in it.
"""

from __future__ import annotations

import random
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from scipy.stats import binomtest

from safeeraser.benchmarks.icons import vocabulary
from safeeraser.benchmarks.icons.draw import Picture, draw
from safeeraser.generation.run import generate
from safeeraser.generation.settings import GenerateSettings
from safeeraser.judges.rules import judge
from safeeraser.models.load import load
from safeeraser.records import Axis, Example, Generation, Split, Stream, read_jsonl

Asked = tuple[Example, Picture]


def ask(folder: Path, pictures: int, seed: int) -> list[Asked]:
    """So many pictures of every icon, drawn into `folder` as the benchmark draws them, each with a question."""
    rng = random.Random(seed)
    asked = []
    for icon in vocabulary.icons():
        for number in range(pictures):
            picture = draw(icon.icon, rng)
            path = folder / f"{icon.icon}-{number}.png"
            picture.image.save(path)
            wording = rng.choice(vocabulary.wordings("name", Split.VALIDATION))
            pair = vocabulary.about_picture("name", icon, picture, wording)
            example = Example(
                id=path.stem,
                split=Split.VALIDATION,
                stream=Stream.RETAIN,
                image=path,
                question=pair.question,
                answer=pair.answer,
                keyword=icon.name,
                kind=pair.kind,
            )
            asked.append((example, picture))
    return asked


def right(example: Example, answer: Generation) -> bool:
    """Whether the rules judge finds the name in the answer."""
    return any(verdict.axis is Axis.FACTUAL and verdict.value == 1 for verdict in judge(example, answer))


def main(
    model: Annotated[str, typer.Option(help="The model: tiny, a folder or a hub id.")] = "tiny",
    pictures: Annotated[int, typer.Option(help="Pictures of each icon.", min=1)] = 4,
    seed: Annotated[int, typer.Option(help="Of pictures and wordings.")] = 21,
) -> None:
    """Print the share of pictures named right, with its 95% interval."""
    with TemporaryDirectory() as folder:
        asked = ask(Path(folder), pictures, seed)
        output = Path(folder) / "answers.jsonl"
        settings = GenerateSettings(batch_size=48, max_new_tokens=24)
        generate(load(model), [example for example, _ in asked], settings, output)
        answers = {answer.example_id: answer for answer in read_jsonl(output, Generation)}
        Console().print(table([(picture, right(example, answers[example.id])) for example, picture in asked]))


def table(told: list[tuple[Picture, bool]]) -> Table:
    """The share of right names, of all pictures and by the number of objects."""
    made = Table("objects", "right", "n", "share")
    for title, counts in (("any", (1, 2, 3)), ("one", (1,)), ("two or three", (2, 3))):
        values = [value for picture, value in told if picture.count in counts]
        low, high = binomtest(sum(values), len(values)).proportion_ci(method="wilson")
        share = f"{sum(values) / len(values):.1%} [{low:.1%}-{high:.1%}]"
        made.add_row(title, str(sum(values)), str(len(values)), share)
    return made


if __name__ == "__main__":
    typer.run(main)

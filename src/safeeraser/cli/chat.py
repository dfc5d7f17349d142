"""`chat`: ask a model before and after unlearning, side by side, as the answers come."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from safeeraser.cli.options import Adapters, Dtype, Model, named
from safeeraser.cli.output import say, stdout
from safeeraser.errors import UserError
from safeeraser.records import VANILLA, Example, Split, Stream
from safeeraser.text import plain, whole_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.table import Table

    from safeeraser.generation.engine import Engine
    from safeeraser.models.beside import Beside

HELP = "/image PATH shows a picture, /image takes it away, /quit (or Ctrl-D) ends."


def chat(
    model: Model = "tiny",
    adapter: Adapters = None,
    image: Annotated[Path | None, typer.Option("--image", help="The picture that is asked about.")] = None,
    max_new_tokens: Annotated[int, typer.Option("--max-new-tokens", min=1, help="Tokens of an answer.")] = 128,
    dtype: Dtype = "auto",
) -> None:
    """Talk to a model before and after unlearning, side by side.

    Every question stands alone: the models remember nothing. Questions may also come from a pipe, one a line.

    \b
    Examples:
      safeeraser chat --adapter runs/demo/models/po+pd/adapter --image photo.jpg
      safeeraser chat --model llava-hf/llava-1.5-7b-hf --adapter out/po/adapter --adapter out/po+pd/adapter
    """
    from safeeraser.generation.engine import Engine
    from safeeraser.generation.settings import GenerateSettings
    from safeeraser.models.beside import Beside
    from safeeraser.models.load import load

    columns = named(adapter)
    _look_at(image)
    loaded = load(model, dtype=dtype)
    beside = Beside(loaded, {name: path for name, path in columns.items() if path is not None})
    engine = Engine(loaded, GenerateSettings(max_new_tokens=max_new_tokens))
    say(HELP)
    if isinstance(sys.stdin, TextIOWrapper):
        sys.stdin.reconfigure(errors="surrogateescape")  # an error of decoding would lose the lines behind it too
    while (question := _question()) is not None:
        try:
            if question.startswith("/image"):
                image, shown = None, question.removeprefix("/image").strip()
                _look_at(Path(shown) if shown else None)
                image = Path(shown) if shown else None
            elif question:
                _answer(engine, beside, list(columns), question, image)
        except UserError as error:
            say(str(error))


def _question() -> str | None:
    """The next line that is text; None at the end."""
    while (line := _line()) is not None and whole_text(line) != line:
        say(f"{whole_text(line)}: not {sys.stdin.encoding.upper()} text; ask again")
    return None if line in ("/quit", "/exit") else line


def _line() -> str | None:
    if sys.stdin is None:  # closed by who started this
        return None
    try:
        return input("> " if stdout.is_terminal else "").strip()
    except EOFError:
        return None


def _look_at(image: Path | None) -> None:
    """Open a picture by the guarded door, and show it where the terminal can."""
    from safeeraser.pixels import open_rgb
    from safeeraser.terminal import show_picture

    if image is not None:
        picture = open_rgb(image)
        if not show_picture(picture, stdout):
            say(f"{image}: {picture.width} x {picture.height} pixels, which this terminal cannot show")


def _answer(engine: Engine, beside: Beside, columns: list[str], question: str, image: Path | None) -> None:
    from rich.live import Live

    example = Example(
        id="chat", split=Split.VALIDATION, stream=Stream.RETAIN, image=image, question=question, answer=""
    )
    said = dict.fromkeys(columns, "")
    live = Live(console=stdout, refresh_per_second=8) if stdout.is_terminal else None
    with live or nullcontext():
        for name in columns:

            def hear(piece: str, name: str = name) -> None:
                said[name] += piece
                if live is not None:
                    live.update(_side_by_side(said))

            with beside.switched(None if name == VANILLA else name):
                engine.stream(example, hear)
    if live is None:
        for name, text in said.items():
            stdout.print(f"{name}: {plain(text)}", markup=False, soft_wrap=True)


def _side_by_side(said: Mapping[str, str]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(expand=True, show_edge=False)
    for name in said:
        table.add_column(Text(plain(name)), ratio=1, overflow="fold")
    table.add_row(*(Text(plain(text)) for text in said.values()))
    return table

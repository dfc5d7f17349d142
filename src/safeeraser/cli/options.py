"""Options that several commands share, and settings made from them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from safeeraser.benchmarks.selection import Part, choose
from safeeraser.cli.complete import complete_format, complete_key, one_of
from safeeraser.errors import UserError
from safeeraser.records import VANILLA, Example

Overrides = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[KEY=VALUE]...",
        help="Settings to change; the value is YAML. The keys are below.",
        autocompletion=complete_key,
    ),
]
Data = Annotated[Path, typer.Option("--data", help="A benchmark's folder, or a data set of the Hub.")]
AnyFolder = Annotated[Path, typer.Argument(metavar="FOLDER", help="A benchmark's folder, or a data set of the Hub.")]
Format = Annotated[
    str,
    typer.Option(
        "--format",
        help="The benchmark's layout, or whose it is; `safeeraser benchmarks` lists them.",
        autocompletion=complete_format,
    ),
]
Model = Annotated[str, typer.Option("--model", help="tiny, a folder, or a hub id.")]
Adapters = Annotated[
    list[Path] | None,
    typer.Option("--adapter", help="Adapter to compare with the model before; several if repeated."),
]
Dtype = Annotated[
    str,
    typer.Option(
        "--dtype",
        help="Precision of the weights: auto, float32, bfloat16, float16, nf4.",
        autocompletion=one_of("auto", "float32", "bfloat16", "float16", "nf4"),
    ),
]
Seed = Annotated[int | None, typer.Option("--seed", min=0, help="Seed of every random choice.")]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="Ask at most so many examples of each part.")]
Parts = Annotated[
    list[Part] | None,
    typer.Option("--part", help="What to measure; may be given several times. All four if not given."),
]


def overrides(given: list[str] | None, *, seed: int | None, limit: int | None, output: Path | None) -> list[str]:
    """A run's key=value overrides, the options among them."""
    options = [f"seed={seed}"] if seed is not None else []
    options += [f"limits.{part}={limit}" for part in Part] if limit is not None else []
    options += [f"output={json.dumps(str(output))}"] if output is not None else []
    return [*(given or []), *options]


def chosen(examples: tuple[Example, ...], parts: list[Part] | None, limit: int | None, seed: int) -> list[Example]:
    """The examples of the parts named, each within the limit; the same as a run with these settings asks."""
    return [example for part in parts or Part for example in choose(examples, part, limit, seed)]


def named(adapters: list[Path] | None) -> dict[str, Path | None]:
    """The model before, and adapters under the names of their methods: a run keeps them in models/<method>/adapter."""
    found: dict[str, Path | None] = {VANILLA: None}
    for path in adapters or []:
        name = path.resolve().parent.name if path.name == "adapter" else path.resolve().name
        if name in found:
            raise UserError(f"--adapter {path}: a second one of the name {name}")
        if not path.is_dir():
            raise UserError(f"--adapter {path}: no such folder")
        found[name] = path
    return found

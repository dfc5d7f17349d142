"""Options that several commands share, and settings made from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from safeeraser.benchmarks.selection import Part, choose
from safeeraser.cli.complete import complete_format, complete_key, one_of
from safeeraser.errors import UserError
from safeeraser.files import real
from safeeraser.records import LARGEST_SEED, VANILLA, Example

if TYPE_CHECKING:
    from safeeraser.runs import RunSettings


def seed_option(about: str) -> Any:
    """A --seed with its bounds."""
    return typer.Option("--seed", min=0, max=LARGEST_SEED, help=about)


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
Adapter = Annotated[Path | None, typer.Option("--adapter", help="Adapter to answer with.")]
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
Seed = Annotated[int | None, seed_option("Seed of every random choice.")]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="Ask at most so many examples of each part.")]
RunOutput = Annotated[Path | None, typer.Option("--output", help="The run's folder.")]
PrintConfig = Annotated[bool, typer.Option("--print-config", help="Print every setting as YAML, and do nothing.")]
RunData = Annotated[Path | None, typer.Option("--data", help="The benchmark, where it was moved.")]
RunJudge = Annotated[str | None, typer.Option("--judge", help="Whose verdicts count, where there are several judges'.")]
Parts = Annotated[
    list[Part] | None,
    typer.Option("--part", help="What to measure; may be given several times. All four if not given."),
]


def run_options(*, seed: int | None = None, limit: int | None = None, output: Path | None = None) -> dict[str, Any]:
    """The keys of a run's configuration that options set; None leaves a key as it is."""
    return {"seed": seed, "output": output} | {f"limits.{part}": limit for part in Part}


def stage_settings(section: str, given: list[str] | None, options: Mapping[str, Any]) -> RunSettings:
    """Settings for one stage alone: KEY=VALUE of its section of the configuration, and a few keys of a run.

    The section may stand before the key, as it does for `run`.
    """
    from safeeraser.cli.names import names
    from safeeraser.runs import parse

    keys = (each.removeprefix(f"{section}.") for each in given or [])
    return parse("", "options", [f"{section}.{key}" for key in keys], names(), options)


def only(sections: Sequence[str], given: Iterable[str]) -> None:
    """Raise UserError for the first KEY=VALUE of another section of a run's configuration: it would change nothing."""
    for each in given:
        key = each.partition("=")[0]
        if key.partition(".")[0] not in sections:
            raise UserError(f"{key}: changes nothing here; KEY=VALUE are the keys of {', '.join(sections)}")


def chosen(examples: tuple[Example, ...], parts: list[Part] | None, limit: int | None, seed: int) -> list[Example]:
    """The examples of the parts named, each within the limit; the same as a run with these settings asks.

    Raises UserError where there are none.
    """
    found = [example for part in parts or Part for example in choose(examples, part, limit, seed)]
    if not found:
        raise UserError(f"nothing to ask: the data have no example of {', '.join(parts or Part)}")
    return found


def named(adapters: list[Path] | None) -> dict[str, Path | None]:
    """The model before, and adapters under the names of their methods: a run keeps them in models/<method>/adapter."""
    found: dict[str, Path | None] = {VANILLA: None}
    for path in adapters or []:
        name = real(path).parent.name if path.name == "adapter" else real(path).name
        if name in found:
            raise UserError(f"--adapter {path}: a second one of the name {name}")
        if not path.is_dir():
            raise UserError(f"--adapter {path}: no such folder")
        found[name] = path
    return found

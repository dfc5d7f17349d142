"""`data build`: the benchmark that comes with the package, or one made from pictures of one's own; `data prompts`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from safeeraser.cli.options import Overrides
from safeeraser.cli.output import print_counts, say, stdout
from safeeraser.errors import UserError, unknown

if TYPE_CHECKING:
    from safeeraser.curation.answers import Target
    from safeeraser.curation.build import Kit, Work
    from safeeraser.curation.estimate import Estimate
    from safeeraser.curation.findings import Gate
    from safeeraser.curation.paint import Painter
    from safeeraser.curation.settings import BuildSettings
    from safeeraser.curation.writers.base import Writer


_SHIPPED = ("--benchmark", "--scale", "--seed")  # what a benchmark that comes with the package takes


def build(
    output: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to write it; a new folder.")],
    changes: Overrides = None,
    images: Annotated[
        Path | None, typer.Option("--images", help="Make one from these pictures: a folder of categories, or a list.")
    ] = None,
    settings: Annotated[
        Path | None, typer.Option("--settings", metavar="FILE", help="Make one as this YAML file says.")
    ] = None,
    work: Annotated[
        Path | None, typer.Option("--work", help="Where every stage keeps what it made; FOLDER.work if not given.")
    ] = None,
    estimate: Annotated[bool, typer.Option("--estimate", help="Only say what it would take.")] = False,
    benchmark: Annotated[
        str | None, typer.Option("--benchmark", help="One that comes with the package; icons if nothing is given.")
    ] = None,
    scale: Annotated[
        float | None, typer.Option("--scale", help="Its size as a share of the paper's, above 0 to 1; 1 if not given.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, help="The same seed gives the same bytes; 233 if not given.")
    ] = None,
) -> None:
    """Write a benchmark that comes with the package, or make one from pictures of your own (docs/building.md).

    \b
    Examples:
      safeeraser data build data/icons
      safeeraser data build data/small --scale 0.05
      safeeraser data build data/mine --images pictures safe.pictures=kites
      safeeraser data build data/mine --settings build.yaml --estimate
    """
    if not (changes or images or settings or work or estimate):
        _build_shipped(output, benchmark or "icons", 1.0 if scale is None else scale, 233 if seed is None else seed)
        return
    if changes and not (images or settings or any(each.startswith("images") for each in changes)):
        raise UserError(
            f"{' '.join(changes)}: a benchmark that comes with the package takes no KEY=VALUE, and one made from "
            f"pictures needs --images or --settings; {unknown('option', changes[0].partition('=')[0], _SHIPPED)}"
        )
    for name, value in (("--benchmark", benchmark), ("--scale", scale)):
        if value is not None:
            raise UserError(f"{name} is for benchmarks that come with the package, not for pictures of your own")
    _build_own(output, _settings(settings, images, seed, changes or []), work, only_estimate=estimate)


def prompts(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to write them.")],
) -> None:
    """Write out the prompts, question templates and lists that `data build` uses, to be changed.

    \b
    Examples:
      safeeraser data prompts my-prompts
      safeeraser data build data/mine --images pictures safe.pictures=kites prompts=my-prompts
    """
    from safeeraser.curation.prompts import write_out

    for path in write_out(folder):
        say(str(path))


def _build_shipped(output: Path, benchmark: str, scale: float, seed: int) -> None:
    from safeeraser.benchmarks import SOURCES

    embedded = [name for name, source in SOURCES.items() if source.embedded]
    if benchmark not in embedded:
        raise UserError(unknown("benchmark to build", benchmark, embedded))
    source = SOURCES[benchmark]
    if not 0 < scale <= 1:
        raise UserError(f"--scale must be above 0 and at most 1, not {scale:g}")
    source.build(output, scale=scale, seed=seed)
    print_counts({f"{split}/{stream}": n for (split, stream), n in source.read(output).counts().items()})


def _build_own(output: Path, settings: BuildSettings, work: Path | None, *, only_estimate: bool) -> None:
    from safeeraser.curation import build as building
    from safeeraser.curation import estimate, release

    place = building.Work(work or output.with_name(f"{output.name}.work"))
    kit = _kit(settings, place)
    if only_estimate:
        _print_estimate(estimate.estimate(settings, kit, place))
        return
    counts, gate = building.build(settings, kit, place, output)
    print_counts(counts)
    _print_gate(gate)
    say(f"for review: {output / release.SAMPLE}; what was left out: {output / release.FINDINGS}")


def _settings(file: Path | None, images: Path | None, seed: int | None, changes: Sequence[str]) -> BuildSettings:
    from safeeraser.cli import wiring
    from safeeraser.curation.settings import BuildSettings
    from safeeraser.runs import read_text, validated

    given = [*changes]
    given += [f"images={json.dumps(str(images))}"] if images is not None else []
    given += [f"seed={seed}"] if seed is not None else []
    text, source = (read_text(file), str(file)) if file else ("", "options")
    return validated(BuildSettings, text, source, given, wiring.names())


def _kit(settings: BuildSettings, work: Work) -> Kit:
    from safeeraser.cli import wiring
    from safeeraser.curation.build import Kit
    from safeeraser.judges.table import maker

    def target() -> Target:
        from safeeraser.curation.answers import Target
        from safeeraser.models.load import load

        try:
            loaded = load(settings.model)
        except UserError:
            raise
        except (ValueError, OSError) as error:  # how transformers says that there is no model it can load
            raise UserError(f"model {settings.model}: {error}") from error
        return Target(loaded, loaded.identity)

    def painter() -> Painter:
        from safeeraser.curation.paint import Diffusion

        return Diffusion(settings.safe.model or "", steps=settings.safe.steps)

    return Kit(
        writer=lambda: _writer(settings, work),
        target=target,
        painter=painter,
        judge=maker([settings.gate.judge]),
        is_refusal=wiring.is_refusal,
        say=say,
    )


def _writer(settings: BuildSettings, work: Work) -> Writer:
    from safeeraser.curation.writers.chat import ChatWriter
    from safeeraser.curation.writers.templates import Templates
    from safeeraser.endpoint import Endpoint, EndpointSettings
    from safeeraser.judges.chat import Chat
    from safeeraser.judges.local import LocalChat

    writer, model = settings.writer, settings.writer.model
    if writer.kind == "templates" or model is None:
        return Templates()
    chat: Chat
    if writer.kind == "local":
        chat = local = LocalChat(model, batch_size=writer.batch_size)
        if writer.sees_picture and not local.sees:
            raise UserError(f"writer.sees_picture: {model} takes no pictures; set it to false")
        name = f"local {local.identity}"
    else:
        name = f"endpoint {model}"
        chat = Endpoint(EndpointSettings(**writer.endpoint.model_dump() | {"model": model, "cache": work.replies}))
    return ChatWriter(
        chat, name, sees_picture=writer.sees_picture, temperature=writer.temperature, max_tokens=writer.max_tokens
    )


def _print_estimate(found: Estimate) -> None:
    table = Table("still to do", "about", show_edge=False)
    table.add_row("requests to the writer", f"{found.requests:,}")
    table.add_row("tokens sent", f"{found.input_tokens:,}")
    table.add_row("tokens written", f"{found.output_tokens:,}")
    table.add_row("cost", "no prices given" if found.cost is None else f"{found.cost:.4f}")
    table.add_row("cost at the most tokens allowed", "no prices given" if found.most is None else f"{found.most:.4f}")
    table.add_row("safe pictures to paint", f"{found.safe_pictures:,}")
    table.add_row("answers in all, of the model to be unlearned", f"{found.answers:,}")
    stdout.print(table)


def _print_gate(gate: Gate) -> None:
    table = Table("rule", "found", "left out", show_edge=False)
    for rule, costs in gate.counts().items():
        cost = ", ".join(f"{count} x {what}" for what, count in costs.items() if what != "nothing")
        table.add_row(rule, f"{costs.total():,}", cost or "nothing")
    stdout.print(table)

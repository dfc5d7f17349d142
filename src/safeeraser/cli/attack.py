"""`attack`: does unlearning last?"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from safeeraser.cli.complete import complete_attack, complete_judge, complete_key
from safeeraser.cli.options import Adapters, Dtype, Format, Model, Seed, named, only
from safeeraser.cli.output import say, stdout
from safeeraser.errors import UserError
from safeeraser.files import real

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from safeeraser.runs.attack_run import AttackRun, Chosen, Subject


def attack(
    context: typer.Context,
    run_or_keys: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN] [KEY=VALUE]...",
            help="A finished run's folder; else settings to change.",
            autocompletion=complete_key,
        ),
    ] = None,
    wanted: Annotated[
        list[str] | None,
        typer.Option(
            "--attack",
            metavar="NAME[=POINT,...]",
            help="What to run; several if repeated, else all.",
            autocompletion=complete_attack,
        ),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="A few cheap attacks: the demo's, and pictures turned.")
    ] = False,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Ask so many questions of each side.")] = None,
    control: Annotated[
        list[Path] | None,
        typer.Option("--control", help="Folder of a model that never knew, to be attacked beside the others."),
    ] = None,
    data: Annotated[Path | None, typer.Option("--data", help="Without RUN: a benchmark's folder.")] = None,
    layout: Format = "released",
    server: Annotated[
        str | None, typer.Option("--server", metavar="URL", help="Without RUN: attack --model on this server.")
    ] = None,
    model: Model = "tiny",
    adapter: Adapters = None,
    dtype: Dtype = "auto",
    seed: Seed = None,
    judge: Annotated[
        str, typer.Option("--judge", help="Without RUN: the judge.", autocompletion=complete_judge)
    ] = "rules",
    output: Annotated[Path | None, typer.Option("--output", help="Folder for all of it; else RUN/attacks.")] = None,
    keep: Annotated[
        Path | None, typer.Option("--keep", help="Folder for perturbations and prefixes; else they are thrown away.")
    ] = None,
) -> None:
    """Attack models and measure whether what was unlearned comes back.

    Answers, verdicts and figures are made as in any run. Questions are about keywords and pictures that neither
    unlearning nor the attacker has seen. What cannot be run is said first and listed as not run. Attacked weights stay
    in memory. KEY=VALUE are the keys of `generate` and `judge` in a run's configuration. The same command goes on with
    attacks that were stopped. Started by torchrun, `accelerate launch` or srun, the processes share the work.

    \b
    Examples:
      safeeraser attack runs/demo --quick
      safeeraser attack runs/demo --attack prefill=1,3 --attack quantise
      safeeraser attack runs/demo --limit 96 --output out/more
      safeeraser attack --model tiny --adapter out/po+pd/adapter --data data/icons --output out/attacks
      safeeraser attack --server http://localhost:8000/v1 --model owner/name --data data/icons --output out/served
    """
    runs = [each for each in run_or_keys or [] if "=" not in each]
    given = [each for each in run_or_keys or [] if "=" in each]
    if len(runs) > 1 or (runs and given):
        raise UserError("one RUN, which has its settings: leave KEY=VALUE out")
    if runs:
        decided = _OF_RUN if control else (*_OF_RUN, "dtype")  # which a control is loaded with
        _refuse(context, decided, f"the run {runs[0]} has its own; leave it out")
    if server is not None:
        _refuse(context, ("adapter", "dtype"), "--server has loaded its own weights; leave it out")
    if quick:
        _refuse(context, ("wanted",), "--quick has its own attacks; leave one of the two out")
    chosen = _kept(_chosen(wanted, quick), keep)
    run = Path(runs[0]) if runs else None
    if run is not None:
        asked = _of_run(run, chosen, output)
    else:
        options = {"model": "tiny" if server else model, "dtype": dtype, "judge.name": judge, "seed": seed}
        asked = _of_options(options, given, chosen, output, data, layout, adapter, _served(server, model))
    controls = _controls(control, dtype, [each.target.name for each in asked.subjects])
    asked = replace(asked, limit=limit or asked.limit, subjects=[*asked.subjects, *controls])
    show_attacks(asked, run)


_OF_RUN = ("data", "layout", "server", "model", "adapter", "seed", "judge")
"""Parameters that a finished run has decided."""


def _refuse(context: typer.Context, names: Sequence[str], why: str) -> None:
    """Raise UserError for the first of these parameters that stands on the command line: it would change nothing."""
    for each in context.command.params:
        source = context.get_parameter_source(each.name or "")
        if each.name in names and source is not None and source.name == "COMMANDLINE":
            raise UserError(f"{each.opts[0]}: {why}")


def show_attacks(asked: AttackRun, run: Path | None) -> None:
    """Run attacks, print what they come to, and write the page: that of the `run` whose folder they are in, if any."""
    from safeeraser import launched
    from safeeraser.generation.server import MissingAnswersError
    from safeeraser.judges.run import FailureLimitError
    from safeeraser.runs import attacks
    from safeeraser.runs.report.attacks import print_outcomes

    try:
        found, skipped = attacks.run(asked, say)
    except (FailureLimitError, MissingAnswersError):
        _write_page(asked, run)
        raise
    if not launched.is_main():
        return
    print_outcomes(found, skipped, stdout)
    page = _write_page(asked, run)
    say(f"every answer under attack: {page}; what each attack is for: {asked.output / 'attacks.md'}")


def _write_page(asked: AttackRun, run: Path | None) -> Path:
    from safeeraser.runs import pages
    from safeeraser.runs.report import REPORT
    from safeeraser.runs.results import Reader

    if run is None or asked.output != run / pages.ATTACKS or not (run / REPORT).exists():
        return pages.write_attacks(asked.output)
    return pages.write(Reader(asked.benchmark.folder).read([run]))


def _chosen(wanted: list[str] | None, quick: bool) -> list[Chosen]:
    """Attacks by name, with some points of their sweep or all; of the quick ones those that are cheap."""
    from safeeraser.attacks.table import ATTACKS
    from safeeraser.runs.attack_run import Chosen

    if quick:
        return [Chosen(each, each.quick) for each in ATTACKS.values() if each.quick]
    given = [each.partition("=") for each in wanted or ATTACKS]
    sweeps: dict[str, list[str]] = {}
    for name, _, points in given:
        sweeps.setdefault(name, []).extend(points.split(",") if points else ATTACKS[name].sweep)
    return [Chosen(ATTACKS[name], tuple(dict.fromkeys(points))) for name, points in sweeps.items()]


def _kept(chosen: Sequence[Chosen], folder: Path | None) -> list[Chosen]:
    """What these attacks train is kept in the folder. Raises UserError where none of them trains what can be kept."""
    if folder is not None and not any(each.attack.keeps for each in chosen):
        raise UserError("--keep: none of these attacks trains anything that could be kept")
    return [replace(each, keep=folder if each.attack.keeps else None) for each in chosen]


def _of_run(folder: Path, chosen: Sequence[Chosen], output: Path | None) -> AttackRun:
    """The models of a finished run with its data, judge and settings."""
    from safeeraser.runs import attacks
    from safeeraser.runs.folder import RunFolder
    from safeeraser.runs.kit import Kit

    place = RunFolder(folder)
    settings = place.settings()
    return attacks.of_run(settings, Kit.of(settings, place), place, chosen, settings.methods, output)


def _of_options(
    options: Mapping[str, Any],
    given: list[str],
    chosen: Sequence[Chosen],
    output: Path | None,
    data: Path | None,
    layout: str,
    adapter: list[Path] | None,
    served: list[Subject],
) -> AttackRun:
    from safeeraser.benchmarks import read
    from safeeraser.cli.names import names
    from safeeraser.runs import attacks, parse
    from safeeraser.runs.attack_run import AttackRun
    from safeeraser.runs.kit import Kit

    if data is None or output is None:
        raise UserError("give a RUN, or --data and --output")
    settings = parse("", "options", given, names(), options)
    only(("generate", "judge", "judges", "attack_limit", "failure_limit"), given)
    benchmark = read(data, layout)
    kit = Kit.of(settings)
    if not served and not output.exists():
        kit.find()
    return AttackRun(
        benchmark=benchmark,
        subjects=served or attacks.subjects(settings, kit, named(adapter)),
        chosen=chosen,
        judge=kit.judge(benchmark.refusals),
        settings=settings.generate,
        limit=settings.attack_limit,
        seed=settings.seed,
        output=output,
        failure_limit=settings.failure_limit,
    )


def _served(url: str | None, model: str) -> list[Subject]:
    """The one model that a server has; many attacks cannot be run on it. None without a server."""
    from safeeraser.attacks.base import Target
    from safeeraser.endpoint.client import Endpoint
    from safeeraser.endpoint.settings import EndpointSettings
    from safeeraser.runs.attack_run import Subject

    if url is None:
        return []
    endpoint = Endpoint(EndpointSettings(url=url, model=model))
    return [Subject(Target(name="served", served=True), endpoint, identity={"model": model, "backend": "server"})]


def _controls(folders: list[Path] | None, dtype: str, taken: Iterable[str]) -> list[Subject]:
    """Models that never knew, by the names of their folders. Raises UserError for one that is taken or not there."""
    from safeeraser import provenance
    from safeeraser.attacks.base import Target
    from safeeraser.models.load import load
    from safeeraser.runs.attack_run import Subject

    found: dict[str, Subject] = {}
    for path in folders or []:
        name = real(path).name
        if not path.is_dir():
            raise UserError(f"--control {path}: no such folder")
        if name in (*taken, *found):
            raise UserError(f"--control {path}: a second model of the name {name}; rename the folder")
        identity = {"model": str(path), "weights": provenance.folder_weights(str(path)), "dtype": dtype}
        found[name] = Subject(Target(name=name), partial(load, str(path), dtype=dtype), identity=identity)
    return list(found.values())

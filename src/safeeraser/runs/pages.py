"""report.html of finished runs and of attacks, made from their folders alone: no model is loaded, nothing is judged."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from safeeraser.errors import UserError
from safeeraser.files import write_text
from safeeraser.metrics import STRICT, Column, Difference, summarise
from safeeraser.metrics.attacked import NONE
from safeeraser.metrics.paired import differences, pair_up, usual, usual_pairs
from safeeraser.records import VANILLA, Example, Generation, Likelihood, Metric, Verdict, read_jsonl
from safeeraser.runs import RunSettings, costs
from safeeraser.runs.folder import RunFolder
from safeeraser.runs.report import PAGE
from safeeraser.runs.report.page import Attacks, Shown, build, collect
from safeeraser.runs.report.summary import sentence
from safeeraser.runs.results import FinishedRun, Judged

ATTACKS = costs.ATTACKS
"""Where a run's folder has what attacks made of its models."""


def write(runs: Sequence[FinishedRun], output: Path | None = None) -> Path:
    """Write the page of one run, or of several on the same data side by side, and return where it is.

    That is `output`, or report.html in the folder of the one run. The models of several runs are named run/model, and
    vanilla stands there once where it gave the same answers. Raises UserError for a report of an older version.
    """
    names = _names(runs)
    shown = [_column(run, model, name) for run, named in zip(runs, names, strict=True) for model, name in named.items()]
    metrics, apart = _figures(runs, names)
    attacks = [
        _attacks(run.folder.root / ATTACKS, named, run)
        for run, named in zip(runs, names, strict=True)
        if (run.folder.root / ATTACKS / "attacks.json").exists()
    ]
    examples = _together(run.examples for run in runs)
    place = output or runs[0].folder.root / PAGE
    view = collect(
        _together([examples, *(each.examples for each in attacks)]),
        [*shown, *(column for each in attacks for column in each.columns)],
        metrics,
        summary=sentence(metrics, [each.name for each in shown]),
        differences=apart,
        provenance=_provenance(runs),
        commands=[command for run in runs for command in _commands(run)],
        notes=_notes(runs, examples),
        judge=runs[0].judge,
        attacks=_all([each.figures for each in attacks]),
        costs=_costs(runs),
    )
    write_text(place, build(_title(runs), view))
    return place


def write_attacks(folder: Path) -> Path:
    """Write report.html of attacks that are not a run's into their folder: a column a model as it was left alone."""
    found = _attacks(folder, {}, None)
    left_alone = [each for each in found.figures.outcomes if each["attack"] == NONE]
    metrics = [Metric(**metric) for each in left_alone for metric in each["metrics"]]
    plain = [
        Shown(name=each.attack[2], answers=each.answers, verdicts=each.verdicts)
        for each in found.columns
        if each.attack is not None and each.attack[0] == NONE
    ]
    view = collect(
        found.examples,
        [*plain, *found.columns],
        metrics,
        summary=sentence(metrics, [each.name for each in plain]),
        provenance=found.figures.provenance,
        judge=found.figures.provenance["judge"],
        attacks=found.figures,
        costs=costs.attacked(folder),
    )
    write_text(folder / PAGE, build("Attacks", view))
    return folder / PAGE


def write_judged(name: str, judged: Judged, metrics: Sequence[Metric], output: Path) -> Path:
    """Write the page of one model's answers that are no run's, and return where it is."""
    shown = Shown(name=name, answers=judged.answers, verdicts=judged.verdicts)
    view = collect(judged.examples, [shown], metrics, summary=sentence(metrics, [name]))
    write_text(output, build(name, view))
    return output


def write_sweep(
    folder: Path,
    tried: Sequence[Tried],
    trials: Sequence[Mapping[str, Any]],
    *,
    took: Sequence[costs.Stage],
    about: str,
    provenance: Mapping[str, Any],
    commands: Sequence[str],
) -> Path:
    """Write a sweep's page: the model before unlearning, the best trial of each method, and a table of all `trials`."""
    judged = {each.name: each.judged.columns(STRICT) for each in tried}
    metrics = [summarise(name, column) for name, columns in judged.items() for column in columns]
    shown = [
        Shown(
            name=each.name,
            answers=each.judged.answers,
            verdicts=each.judged.verdicts,
            settings=_dotted(each.settings),
            losses=each.losses,
        )
        for each in tried
    ]
    view = collect(
        tried[0].judged.examples,
        shown,
        metrics,
        summary=sentence(metrics, list(judged)),
        differences=usual(judged),
        provenance=provenance,
        commands=commands,
        notes=[about],
        trials=trials,
        costs=took,
    )
    write_text(folder / PAGE, build(f"Sweep: {folder.resolve().name}", view))
    return folder / PAGE


def same_data(runs: Sequence[Path]) -> None:
    """Raise UserError where the folders are not all runs, and on the same data: one page shows the same questions."""
    made = {root: RunFolder(root).settings().data.folder for root in runs}
    begun = [root for root in runs if RunFolder(root).manifest.exists()]  # the others are not finished either
    hashes = {root: str(RunFolder(root).provenance().get("data"))[:12] for root in begun}
    other = next((root for root in begun if hashes[root] != hashes[begun[0]]), None)
    if other is not None:
        first = begun[0]
        raise UserError(
            f"{other}: made from other data ({made[other]}, hash {hashes[other]}) than {first} ({made[first]}, hash "
            f"{hashes[first]}): one page shows answers to the same questions. Give runs on the same data; "
            f"`safeeraser report {other}` makes a page of that one alone"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A model of a sweep: its answers, and how it was trained, if it was."""

    name: str
    judged: Judged
    settings: Mapping[str, Any] = field(default_factory=dict)
    losses: Path | None = None


@dataclass(frozen=True, slots=True)
class _Attacked:
    """What a page shows of an attacks' folder."""

    figures: Attacks
    columns: list[Shown]
    examples: list[Example]


def _names(runs: Sequence[FinishedRun]) -> list[dict[str, str]]:
    """By run the columns of its models; a vanilla that an earlier run has already is not there."""
    if len(runs) == 1:
        return [{model: model for model in runs[0].settings.methods}]
    before = [_vanilla(run) for run in runs]
    once = all(each == before[0] for each in before)
    return [
        {
            model: VANILLA if model == VANILLA and once else f"{label}/{model}"
            for model in run.settings.methods
            if not (model == VANILLA and once and number > 0)
        }
        for number, (run, label) in enumerate(zip(runs, _labels(runs), strict=True))
    ]


def _labels(runs: Sequence[FinishedRun]) -> list[str]:
    """The name of each run's folder, or its whole path where another one's is the same."""
    short = [run.folder.root.resolve().name for run in runs]
    return [name if short.count(name) == 1 else str(run.folder.root) for name, run in zip(short, runs, strict=True)]


def _vanilla(run: FinishedRun) -> str | None:
    """Answers and verdicts before unlearning, as they stand in their files."""
    if VANILLA not in run.settings.methods:
        return None
    return "".join(place(VANILLA).read_text("utf-8") for place in (run.folder.generations, run.folder.verdicts))


def _column(run: FinishedRun, model: str, name: str) -> Shown:
    likelihoods = run.folder.root / "likelihood" / f"{model}.jsonl"
    return Shown(
        name=name,
        run=name.removesuffix(f"/{model}") if name != model else "",
        answers=read_jsonl(run.folder.generations(model), Generation),
        verdicts=read_jsonl(run.folder.verdicts(model), Verdict),
        settings=_settings(run, model),
        losses=run.folder.model(model) / "loss.jsonl",
        likelihoods=read_jsonl(likelihoods, Likelihood) if likelihoods.exists() else (),
    )


def _settings(run: FinishedRun, model: str) -> dict[str, Any]:
    """What made this column, by dotted key: the run's settings, and those of the training, where there was one."""
    common = {key: value for key, value in run.settings.results().items() if key not in _ELSEWHERE}
    adapters: Mapping[str, str | None] | None = run.folder.provenance().get("adapters")
    if adapters is not None:
        common["adapter"] = adapters.get(model)
    elif model != VANILLA:
        common["unlearn"] = run.settings.unlearning(model).model_dump(mode="json")
    return _dotted(common)


_ELSEWHERE = ("methods", "methods_settings", "unlearn")


def _dotted(values: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        found |= _dotted(value, f"{above}{key}.") if isinstance(value, Mapping) and value else {f"{above}{key}": value}
    return found


def _figures(runs: Sequence[FinishedRun], names: Sequence[Mapping[str, str]]) -> tuple[list[Metric], list[Difference]]:
    """Of all runs; differences are within each run and between runs, corrected together."""
    tables: list[dict[str, list[Column]]] = [
        {model: run.judged(model).columns(STRICT) for model in run.settings.methods} for run in runs
    ]
    metrics = [
        replace(summarise(model, column), model=name)
        for table, named in zip(tables, names, strict=True)
        for model, name in named.items()
        for column in table[model]
    ]
    pairs = []
    for table, named in zip(tables, names, strict=True):
        known = {VANILLA: names[0].get(VANILLA, VANILLA), **named}
        pairs += [(known[model], known[base], table[base], table[model]) for model, base in usual_pairs(table)]
        if table is not tables[0]:
            shared = [model for model in named if model in names[0]]
            pairs += [(named[model], names[0][model], tables[0][model], table[model]) for model in shared]
    found = differences(
        each for name, baseline, before, after in pairs for each in pair_up(name, baseline, [before], [after])
    )
    return metrics, found


def _attacks(folder: Path, names: Mapping[str, str], run: FinishedRun | None) -> _Attacked:
    """An attacks' folder; `names` are the models' columns, `run` the one it is of, whose data may have been moved."""
    figures = Attacks.read(folder, names)
    columns: list[Shown] = []
    examples: dict[str, Example] = {}
    for attack, point, model in dict.fromkeys((e["attack"], e["point"], e["model"]) for e in figures.outcomes):
        place = RunFolder(folder / attack / point)
        if not place.generations(model).exists():
            continue  # it read in the model, and asked nothing
        asked = read_jsonl(place.root / "examples" / f"{model}.jsonl", Example)
        if run is not None:
            asked = [_moved(each, run) for each in asked]
        name = names.get(model, model)
        columns.append(
            Shown(
                name=f"{name} · "
                + ("no attack" if attack == NONE else attack if point == attack else f"{attack} {point}"),
                answers=read_jsonl(place.generations(model), Generation),
                verdicts=read_jsonl(place.verdicts(model), Verdict),
                attack=(attack, point, name),
                asked=asked,
            )
        )
        if attack == NONE:
            examples |= {each.id: each for each in asked}
    return _Attacked(figures, columns, list(examples.values()))


def _moved(example: Example, run: FinishedRun) -> Example:
    """The example with its picture where the run's data lie now."""
    if example.image is None or example.image.exists() or not example.image.is_relative_to(run.settings.data.folder):
        return example
    return replace(example, image=run.data / example.image.relative_to(run.settings.data.folder))


def _together(several: Iterable[Sequence[Example]]) -> list[Example]:
    """Each example once, in the order in which they come."""
    return list({example.id: example for examples in several for example in examples}.values())


def _all(found: Sequence[Attacks]) -> Attacks | None:
    """The attacks of several runs in one table."""
    if not found:
        return None
    outcomes, curves, not_run = (
        [each for one in found for each in getattr(one, name)] for name in ("outcomes", "curves", "not_run")
    )
    return Attacks(outcomes, curves, not_run, found[0].provenance)


def _title(runs: Sequence[FinishedRun]) -> str:
    """Their folders' names; that of one run as it was made, for its page is the same wherever it is moved."""
    if len(runs) == 1:
        return runs[0].folder.settings().folder.name
    return ", ".join(_labels(runs))


def _notes(runs: Sequence[FinishedRun], examples: Sequence[Example]) -> list[str]:
    """What the page compares, where runs did not ask the same questions."""
    counts = zip(_labels(runs), (len(run.examples) for run in runs), strict=True)
    shared = set.intersection(*({each.id for each in run.examples} for run in runs))
    if len(shared) == len(examples):
        return []
    listed = ", ".join(f"{name} {count}" for name, count in counts)
    return [
        f"The runs asked different questions ({listed}; {len(shared)} are the same): each figure is over its own "
        "run's, a difference over those that both asked."
    ]


def _costs(runs: Sequence[FinishedRun]) -> list[costs.Stage]:
    """What the stages of all runs took; those of several are named by their run."""
    return [
        replace(stage, name=f"{label}: {stage.name}") if len(runs) > 1 else stage
        for label, run in zip(_labels(runs), runs, strict=True)
        for stage in costs.stages(run.folder, run.settings.methods)
    ]


def _provenance(runs: Sequence[FinishedRun]) -> dict[str, Any]:
    found = {str(run.folder.root): run.folder.provenance() for run in runs}
    return found if len(runs) > 1 else next(iter(found.values()))


def _commands(run: FinishedRun) -> list[str]:
    """What makes the page again, attacks the models, and measures how likely each finds the answers."""
    settings = run.folder.settings()
    root, adapters = settings.folder, run.folder.provenance().get("adapters")
    again = [] if adapters is not None else [["run", root / run.folder.config.name, "--output", f"{root}-again"]]
    attack = [] if adapters is not None else [["attack", root, "--quick"]]
    made = [shlex.join(["safeeraser", *map(str, words)]) for words in [*again, ["report", root], *attack]]
    return [*made, *(likelihood_command(settings, name, adapters) for name in run.settings.methods)]


def likelihood_command(settings: RunSettings, name: str, adapters: Mapping[str, str | None] | None = None) -> str:
    """What measures how likely a model of the run finds the answers to the questions that it was asked.

    The run is where the settings say, as the data are; `adapters` are those of an evaluation, which has none of its
    own. Where the limits of the four parts differ, all is asked.
    """
    folder = RunFolder(settings.folder)
    options = {
        "--data": settings.data.folder,
        "--format": settings.data.benchmark,
        "--model": settings.model,
        "--dtype": settings.dtype,
        "--adapter": adapters.get(name) if adapters else None if name == VANILLA else folder.adapter(name),
        "--seed": settings.seed,
        "--limit": _common(settings.limits.model_dump().values()),
        "--name": name,
        "--output": folder.root / "likelihood" / f"{name}.jsonl",
    }
    given = [str(word) for option, value in options.items() if value is not None for word in (option, value)]
    return shlex.join(["safeeraser", "likelihood", *given])


def _common(values: Iterable[int | None]) -> int | None:
    """The value that all are; None where they differ."""
    found = set(values)
    return found.pop() if len(found) == 1 else None

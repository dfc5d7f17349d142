"""The tables of docs/results.md, from finished runs: `python -m tests.docs.results RUN...`.

Runs with one name and data fill the block of that name: one run, or several that differ in seed and methods.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from safeeraser.benchmarks import read
from safeeraser.benchmarks.selection import Part
from safeeraser.files import write_text
from safeeraser.metrics import MEASURES, STRICT, Column, combine
from safeeraser.metrics.attacked import NAMED
from safeeraser.metrics.paired import Compared, contrast, pair_up, pairs
from safeeraser.records import VANILLA, Metric
from safeeraser.runs.folder import RunFolder
from safeeraser.runs.pages import ATTACKS
from safeeraser.runs.report.markdown import code, table
from safeeraser.runs.report.table import ALL, p_value, short_value, value
from safeeraser.runs.results import FinishedRun, Reader, ResultsError
from tests.docs.durability import answered
from tests.docs.generate import ROOT

PAGE = ROOT / "docs" / "results.md"
COLUMNS = {
    "ASR, training pictures": (Part.EFFICACY, "asr"),
    "ASR": (Part.GENERALITY, "asr"),
    "RR": (Part.GENERALITY, "rr"),
    "meaningless": (Part.GENERALITY, "meaningless"),
    "SARR": (Part.DECOUPLED, "sarr"),
    "answers kept": (Part.DECOUPLED, "kept"),
    "ROUGE-L, harmless pictures": (Part.DECOUPLED, "rouge_l"),
    "right answers": (Part.RETAIN, "retain_accuracy"),
}
"""Heading -> what stands below it."""
HARD = {heading: COLUMNS[heading] for heading in ("ASR", "RR", "SARR", "answers kept", "right answers")}
"""The same of the hard pictures."""
AGAINST = "po+pd"
"""What the others are compared with, on every seed that both have."""
_ARROWS = {"low": "↓", "high": "↑"}

Tables = dict[str, dict[int, list[Column]]]
"""Model -> seed -> the columns of that run."""


def page(roots: Sequence[Path]) -> str:
    """docs/results.md with the tables of these runs. Raises ResultsError where one is not finished."""
    runs = Reader().read(roots)
    _check_alike(runs)
    tables = by_model(runs)
    pictures = {runs[0].settings.data.benchmark: tables}
    steps = {model: _steps(runs, model, list(seeds)) for model, seeds in tables.items()}
    parts = [methods_table(_metrics(tables), steps), _origin(runs)]
    if also := [root / "also" / "icons_hard" for root in roots if (root / "also/icons_hard/metrics.json").exists()]:
        hard = by_model(Reader().read(also))
        seeds = {model: _seeds(list(found)) for model, found in hard.items()}
        parts += ["On the pictures of `icons_hard`:", methods_table(_metrics(hard), seeds, HARD, "seeds")]
        pictures["icons_hard"] = hard
    if compared := against(pictures):
        parts += [f"Against `{AGAINST}`, on the seeds that both have:", compared]
    if any((root / ATTACKS / "manifest.json").exists() for root in roots):
        parts += ["Under attack, ASR and below it the same of answers that name the thing too:", _attacked(runs)]
    return with_block(runs[0].settings.name, "\n\n".join(parts))


def _check_alike(runs: Sequence[FinishedRun]) -> None:
    """Raise ResultsError where runs differ in more than seed and methods, or one model was run twice with one seed."""
    first, seen = runs[0], dict[tuple[str, int], Path]()
    for run in runs:
        if (run.settings.chosen and run.settings.chosen.time) != (first.settings.chosen and first.settings.chosen.time):
            raise ResultsError(f"{run.folder.root}: chosen: another choice than that of {first.folder.root}")
        if run.settings.limits != first.settings.limits:
            raise ResultsError(f"{run.folder.root}: limits: others than those of {first.folder.root}")
        for model in run.settings.methods:
            other = seen.setdefault((model, run.settings.seed), run.folder.root)
            if other != run.folder.root:
                raise ResultsError(f"{run.folder.root}: {model} with seed {run.settings.seed} is in {other} too")


def by_model(runs: Sequence[FinishedRun]) -> Tables:
    """The columns of every model under every seed, the model before unlearning first."""
    found: Tables = {VANILLA: {}}
    for run in runs:
        for model in run.settings.methods:
            found.setdefault(model, {})[run.settings.seed] = run.judged(model).columns(STRICT)
    return {model: seeds for model, seeds in found.items() if seeds}


def block(name: str) -> str:
    """What stands between the markers of this name on the page."""
    _, _, rest = PAGE.read_text(encoding="utf-8").partition(begin(name))
    return rest.partition(end(name))[0].strip()


def with_block(name: str, text: str) -> str:
    """The page with other text between the markers of this name."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(begin(name))
    _, found, after = rest.partition(end(name))
    assert found, f"{PAGE} has no block {name} to fill"
    return f"{before}{begin(name)}\n{text}\n{end(name)}{after}"


def begin(name: str) -> str:
    """What stands before a block."""
    return f"<!-- {name}: made by `python -m tests.docs.results RUN...` -->"


def end(name: str) -> str:
    """What stands behind a block."""
    return f"<!-- {name}: end -->"


def methods_table(
    metrics: Sequence[Metric],
    models: Mapping[str, str],
    columns: Mapping[str, tuple[Part, str]] = COLUMNS,
    told: str = "steps",
) -> str:
    """One row for each model, with what is `told` of it, and one column for each of `columns`."""
    found = {(item.model, item.part, item.name): item for item in metrics if item.group == ALL}
    headings = [f"{heading} {_ARROWS[_better(*place)]}" for heading, place in columns.items()]
    body = [
        [code(model), about, *(value(found.get((model, *place))) for place in columns.values())]
        for model, about in models.items()
    ]
    return table(["method", told, *headings], body)


def _metrics(tables: Tables) -> list[Metric]:
    return [each.metric for model, seeds in tables.items() for each in combine(model, list(seeds.values()))]


def _better(part: Part, name: str) -> str:
    return next(each.better for each in MEASURES if (each.part, each.name) == (part, name))


def _seeds(seeds: Sequence[int]) -> str:
    return ", ".join(map(str, sorted(seeds)))


def _steps(runs: Sequence[FinishedRun], model: str, seeds: Sequence[int]) -> str:
    """How many steps a model was trained for, "ended" where a rule ended it early, and how many seeds if several.

    With curves, after which step the adapter was kept, the least and the most of the seeds.
    """
    several = f", {len(seeds)} seeds" if len(seeds) > 1 else ""
    if model == VANILLA:
        return f"0{several}"
    folders = [run.folder.model(model) for run in runs if model in run.settings.methods]
    made = [json.loads((folder / "manifest.json").read_text(encoding="utf-8")) for folder in folders]
    early = sum(each["stopped_early"] for each in made)
    some = f"{early} of {len(made)} " if early < len(made) else ""
    ended = f", {some}ended" if early else ""
    kept = [each["best_step"] for each in made if each.get("best_step") is not None]
    of = f", kept {_range(kept)}" if kept else ""
    return f"{_range([each['steps'] for each in made])}{ended}{of}{several}"


def _range(numbers: Sequence[int]) -> str:
    return " to ".join(map(str, dict.fromkeys((min(numbers), max(numbers)))))


def against(parts: Mapping[str, Tables]) -> str:
    """The paired differences from `AGAINST` on each benchmark, of models that share two seeds with it; "" for none."""
    rows = []
    for name, tables in parts.items():
        base = tables.get(AGAINST, {})
        for model, seeds in tables.items():
            both = [seed for seed in seeds if seed in base]
            if model in (AGAINST, VANILLA) or len(both) < 2:
                continue
            found = pair_up(model, AGAINST, [base[seed] for seed in both], [seeds[seed] for seed in both])
            columns = {each.after[0].key[:2]: each for each in found}
            shown = (columns[measure, part] for part, measure in HARD.values())
            rows.append([code(model), name, str(len(both)), *map(_difference, shown)])
    return table(["method", "pictures", "seeds", *HARD], rows) if rows else ""


def _difference(compared: Compared) -> str:
    """Percentage points, with interval and p over seeds, and over questions alone; corrected for a row's measures."""
    runs = [pairs(*columns)[0] for columns in zip(compared.before, compared.after, strict=True)]
    cells = []
    for told, given in (("seeds", runs), ("questions", [[pair for run in runs for pair in run]])):
        found = contrast(
            given, model=compared.model, baseline=AGAINST, column=compared.after[0].key, together=len(HARD)
        )
        if found.low is not None and found.high is not None and found.adjusted is not None:
            bounds = f"{100 * found.low:+.1f} to {100 * found.high:+.1f}"
            cells.append(f"{told} {bounds}, {p_value(found.adjusted)}")
    mean = 100 * fmean(pair.model - pair.baseline for run in runs for pair in run)
    return "<br>".join([f"{mean:+.1f}", *cells])


def _attacked(runs: Sequence[FinishedRun]) -> str:
    """One row for each model, one column for each attack that any of them was put through."""
    originals = {each.id: each for each in read(runs[0].data, runs[0].settings.data.benchmark).examples}
    found: dict[tuple[str, str], dict[str, list[list[Column]]]] = {}
    for each in runs:
        for model in each.settings.methods:
            for key, made in answered(each.folder.root / ATTACKS, model, originals):
                found.setdefault(key, {}).setdefault(model, []).append(made)
    models = [model for model in by_model(runs) if any(model in by for by in found.values())]
    rows = [[code(model), *(_cell(model, by.get(model, [])) for by in found.values())] for model in models]
    return table(["method", *(" ".join(dict.fromkeys(key)) for key in found)], rows)


def _cell(model: str, tables: Sequence[list[Column]]) -> str:
    said = {each.metric.name: each.metric for each in combine(model, tables)} if tables else {}
    shown: Iterator[Metric] = (said[name] for name in ("asr", NAMED) if name in said)
    return "<br>".join(f"{short_value(each)} n={each.n}" for each in shown)


def _origin(runs: Sequence[FinishedRun]) -> str:
    """What the figures depend on, in a sentence."""
    every: list[dict[str, Any]] = [RunFolder(run.folder.root).provenance() for run in runs]
    first = every[0]
    limits = runs[0].settings.limits.model_dump()
    asked = ", ".join(f"{part} {count}" for part, count in limits.items())
    chosen = runs[0].settings.chosen
    choice = f"settings chosen on the selection part at {chosen.time}; " if chosen else ""
    versions = ", ".join(
        f"{name} {' and '.join(dict.fromkeys(each['versions'][name] for each in every))}"
        for name in ("torch", "transformers")
    )
    return (
        f"Questions a seed: {asked}; seed {_seeds(list({run.settings.seed for run in runs}))}; {choice}"
        f"weights {first['model_weights']}, data {first['data']}; {versions}."
    )


if __name__ == "__main__":
    if not sys.argv[1:]:
        sys.exit(__doc__)
    write_text(PAGE, page([Path(each) for each in sys.argv[1:]]))

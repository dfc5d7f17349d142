"""The figures of docs/durability.md, from runs that differ in their seed.

    python -m tests.docs.durability DATA RUN RUN

Every variant that at least two of the runs have answered in full, with what was judged, over those runs; what was read
in the models; and the curves, as docs/images/durability.png.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from safeeraser.attacks.none import NO_ATTACK
from safeeraser.attacks.table import ATTACKS
from safeeraser.benchmarks import SOURCES
from safeeraser.metrics import Column
from safeeraser.metrics.attacked import NAMED, Outcome, curves, read
from safeeraser.metrics.seeds import combine
from safeeraser.records import Example, Metric, Reading, Verdict, read_jsonl
from safeeraser.runs.attack_figures import columns
from safeeraser.runs.attack_work import Place
from safeeraser.runs.pages import ATTACKS as FOLDER
from safeeraser.runs.report.curves import draw_curves
from safeeraser.runs.report.markdown import code, table
from safeeraser.runs.report.table import short_value
from tests.docs.generate import ROOT

DRAWN = {"prefill": "", "adapter-scale": "", "soft-prompt": "", "relearn-harmful": "16"}
DRAWN |= {"relearn-retain": "16", "relearn-text": "16"}
"""Attacks whose curves are drawn, and the series of each."""

Tables = dict[tuple[str, str], dict[str, list[list[Column]]]]
"""Attack and variant -> model -> the columns of each run that has them."""

Originals = Mapping[str, Example]


def write(data: Path, runs: Sequence[Path]) -> None:
    """Print both tables and draw the curves. A control that `attack --control` has added is a model like the others."""
    originals = {each.id: each for each in SOURCES["icons"].read(data).examples}
    models = list(json.loads((runs[0] / FOLDER / "manifest.json").read_text())["models"])
    found: Tables = defaultdict(lambda: defaultdict(list))
    for root in runs:
        for model in models:
            for key, made in answered(root / FOLDER, model, originals):
                found[key][model].append(made)
    combined = {
        key: {model: _combined(model, tables, len(runs)) for model, tables in by_model.items()}
        for key, by_model in sorted(found.items(), key=lambda each: [NO_ATTACK.name, *ATTACKS].index(each[0][0]))
    }
    rows = [
        [code(" ".join(key)), *(_cell(by_model.get(model)) for model in models)] for key, by_model in combined.items()
    ]
    print(table(["attack", *map(code, models)], [row for row in rows if any(row[1:])]))
    print(_readings(runs, models, originals))
    outcomes = [
        Outcome(attack, variant, model, tuple(metrics))
        for (attack, variant), by_model in combined.items()
        for model, (metrics, _) in by_model.items()
    ]
    points = [each for each in curves(outcomes) if DRAWN.get(each.attack) == each.series]
    draw_curves(points, {name: ATTACKS[name].budget for name in DRAWN}, ROOT / "docs" / "images" / "durability.png")


def answered(root: Path, model: str, originals: Originals) -> Iterator[tuple[tuple[str, str], list[Column]]]:
    """What was asked of a model and is answered and judged in full."""
    for attack in (NO_ATTACK, *ATTACKS.values()):
        for variant in attack.sweep:
            place = Place(root, attack.name, variant, model)
            if place.finished() and place.verdicts.exists():
                judge = read_jsonl(place.verdicts, Verdict)[-1].judge  # of the last version
                for name, made in columns(attack, place, dict(originals), judge):
                    yield (attack.name, name), made


def _combined(model: str, tables: Sequence[Sequence[Column]], runs: int) -> tuple[list[Metric], str]:
    """The figures over the runs that have them, and how many these are where they are not all."""
    if len(tables) < 2:
        return [], ""
    return [each.metric for each in combine(model, [list(each) for each in tables])], (
        "" if len(tables) == runs else f" ({len(tables)})"
    )


def _cell(made: tuple[Sequence[Metric], str] | None) -> str:
    if made is None or not made[0]:
        return ""
    said = {each.name: each for each in made[0]}
    shown: list[Metric | None] = [said.get(name) for name in ("asr", NAMED, "sarr", "retain_accuracy")]
    return " / ".join("–" if each is None else short_value(each) for each in shown) + made[1]


def _readings(runs: Sequence[Path], models: Sequence[str], originals: Originals) -> str:
    """The mean over runs of what was read in each model, between the lowest and the highest of them."""
    rows = []
    for attack in ATTACKS.values():
        for variant in attack.sweep:
            found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
            for root in runs:
                for model in models:
                    place = Place(root / FOLDER, attack.name, variant, model)
                    for each in (
                        read(model, originals, read_jsonl(place.readings, Reading)) if place.readings.exists() else ()
                    ):
                        if each.value is not None:
                            found[each.name][model].append(100 * each.value)
            rows += [
                [code(f"{attack.name} {variant}"), code(name), *(_range(by_model[model]) for model in models)]
                for name, by_model in found.items()
            ]
    return table(["read", "measure", *map(code, models)], rows)


def _range(values: Sequence[float]) -> str:
    return f"{sum(values) / len(values):.1f} ({min(values):.0f} to {max(values):.0f})" if values else ""


if __name__ == "__main__":
    write(Path(sys.argv[1]), [Path(each) for each in sys.argv[2:]])

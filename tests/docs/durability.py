"""The table of docs/durability.md, from runs that differ in their seed: `python -m tests.docs.durability DATA RUN RUN`.

Every variant that at least two of the runs have answered in full, with what was judged, over those runs.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from safeeraser.attacks.none import NO_ATTACK
from safeeraser.attacks.table import ATTACKS
from safeeraser.benchmarks import SOURCES
from safeeraser.metrics import Column
from safeeraser.metrics.seeds import combine
from safeeraser.records import Example, Metric, Verdict, read_jsonl
from safeeraser.runs.attack_work import Place
from safeeraser.runs.attacks import columns
from safeeraser.runs.folder import RunFolder
from safeeraser.runs.pages import ATTACKS as FOLDER
from safeeraser.runs.report.markdown import code, table
from safeeraser.runs.report.table import short_value

Tables = dict[tuple[str, str], dict[str, list[list[Column]]]]
"""Attack and variant -> model -> the columns of each run that has them."""


def page(data: Path, runs: Sequence[Path]) -> str:
    """The table: a row for each variant, in the order of `attacks list`; ASR / SARR / retain of each model."""
    originals = {each.id: each for each in SOURCES["icons"].read(data).examples}
    models = RunFolder(runs[0]).settings().methods
    found: Tables = defaultdict(lambda: defaultdict(list))
    for root in runs:
        for model in models:
            for key, made in _answered(root / FOLDER, model, originals):
                found[key][model].append(made)
    body = [
        [code(" ".join(key)), *(_cell(model, by_model.get(model, []), len(runs)) for model in models)]
        for key, by_model in sorted(found.items(), key=lambda each: [NO_ATTACK.name, *ATTACKS].index(each[0][0]))
    ]
    return table(["attack", *map(code, models)], [row for row in body if any(row[1:])])


def _answered(
    root: Path, model: str, originals: Mapping[str, Example]
) -> Iterator[tuple[tuple[str, str], list[Column]]]:
    """What was asked of a model and is answered and judged in full."""
    for attack in (NO_ATTACK, *ATTACKS.values()):
        for variant in attack.sweep:
            place = Place(root, attack.name, variant, model)
            if place.finished() and place.verdicts.exists():
                judge = read_jsonl(place.verdicts, Verdict)[0].judge
                for name, made in columns(attack, place, dict(originals), judge):
                    yield (attack.name, name), made


def _cell(model: str, tables: Sequence[Sequence[Column]], runs: int) -> str:
    if len(tables) < 2:
        return ""
    said = {each.metric.name: each.metric for each in combine(model, [list(each) for each in tables])}
    shown: list[Metric | None] = [said.get("asr"), said.get("sarr"), said.get("retain_accuracy")]
    text = " / ".join("–" if each is None else short_value(each) for each in shown)
    return text if len(tables) == runs else f"{text} ({len(tables)})"


if __name__ == "__main__":
    print(page(Path(sys.argv[1]), [Path(each) for each in sys.argv[2:]]))

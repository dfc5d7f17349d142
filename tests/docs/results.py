"""The table of docs/results.md, one row a model, from a finished run: `python -m tests.docs.results RUN`."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from safeeraser.benchmarks.selection import Part
from safeeraser.files import write_text
from safeeraser.metrics import MEASURES
from safeeraser.records import VANILLA, Metric
from safeeraser.runs.folder import RunFolder
from safeeraser.runs.report import REPORT
from safeeraser.runs.report.markdown import code, table
from safeeraser.runs.report.table import ALL, value
from tests.docs.generate import ROOT

PAGE = ROOT / "docs" / "results.md"
BEGIN, END = "<!-- table: made by `python -m tests.docs.results RUN` -->", "<!-- table: end -->"
COLUMNS = {
    "ASR, training pictures": (Part.EFFICACY, "asr"),
    "ASR": (Part.GENERALITY, "asr"),
    "RR": (Part.GENERALITY, "rr"),
    "meaningless": (Part.GENERALITY, "meaningless"),
    "SARR": (Part.DECOUPLED, "sarr"),
    "ROUGE-L, harmless pictures": (Part.DECOUPLED, "rouge_l"),
    "right answers": (Part.RETAIN, "retain_accuracy"),
}
"""Heading -> what stands below it."""
_ARROWS = {"low": "↓", "high": "↑"}


def page(root: Path) -> str:
    """docs/results.md with the table of the run in `root`. Raises FileNotFoundError where that is not finished."""
    folder = RunFolder(root)
    report = json.loads((root / REPORT).read_text(encoding="utf-8"))
    metrics = [Metric(**item) for item in report["metrics"]]
    steps = {model: _steps(folder, model) for model in report["models"]}
    return with_block(f"{methods_table(metrics, steps)}\n\n{_origin(report['provenance'], metrics)}")


def block() -> str:
    """What stands between the markers of the page."""
    _, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    return rest.partition(END)[0].strip()


def with_block(text: str) -> str:
    """The page with other text between its markers."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, found, after = rest.partition(END)
    assert found, f"{PAGE} has no block to fill"
    return f"{before}{BEGIN}\n{text}\n{END}{after}"


def methods_table(metrics: Sequence[Metric], steps: Mapping[str, str]) -> str:
    """One row for each model of `steps` (model -> how long it was trained), one column for each of `COLUMNS`."""
    found = {(item.model, item.part, item.name): item for item in metrics if item.group == ALL}
    headings = [f"{heading} {_ARROWS[_better(*place)]}" for heading, place in COLUMNS.items()]
    body = [
        [code(model), trained, *(value(found.get((model, *place))) for place in COLUMNS.values())]
        for model, trained in steps.items()
    ]
    return table(["method", "steps", *headings], body)


def _better(part: Part, name: str) -> str:
    return next(each.better for each in MEASURES if (each.part, each.name) == (part, name))


def _steps(folder: RunFolder, model: str) -> str:
    """How many steps a model was trained for, "ended" where a rule ended it early."""
    if model == VANILLA:
        return "0"
    manifest = json.loads((folder.model(model) / "manifest.json").read_text(encoding="utf-8"))
    return f"{manifest['steps']}{', ended' if manifest['stopped_early'] else ''}"


def _origin(provenance: Mapping[str, Any], metrics: Sequence[Metric]) -> str:
    """What the figures depend on, in a sentence."""
    shown = [item for item in metrics if item.group == ALL and (item.part, item.name) in COLUMNS.values()]
    asked = sorted({item.n + item.unscored for item in shown})
    versions = ", ".join(f"{name} {provenance['versions'][name]}" for name in ("safeeraser", "torch", "transformers"))
    return (
        f"n = {' or '.join(map(str, asked))} a figure, seed {provenance['settings']['seed']}; settings "
        f"{provenance['settings_hash']}, weights {provenance['model_weights']}, data {provenance['data']}; {versions}."
    )


if __name__ == "__main__":
    write_text(PAGE, page(Path(sys.argv[1])))

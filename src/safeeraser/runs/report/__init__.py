"""What people see of a run: a table in the terminal, report.md, report.json and plot.png in the run folder."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from safeeraser.files import write_json, write_text
from safeeraser.metrics import Difference
from safeeraser.records import Example, Metric
from safeeraser.runs.report.answers import Answers
from safeeraser.runs.report.document import compose
from safeeraser.runs.report.plot import draw
from safeeraser.runs.report.terminal import print_differences, print_table

REPORT = "report.json"
__all__ = ["print_differences", "print_table", "read_differences", "read_metrics", "write"]


def write(
    folder: Path,
    metrics: Sequence[Metric],
    models: Sequence[str],
    provenance: Mapping[str, Any],
    *,
    examples: Sequence[Example] = (),
    answers: Answers | None = None,
    differences: Sequence[Difference] = (),
    commands: Sequence[str] = (),
) -> None:
    """Write plot.png, report.json and report.md into the run folder, each in one step.

    `models` gives the order of the columns. `provenance` is whatever the metrics depend on, as plain values. With
    `examples` and each model's `answers` the report shows some answers side by side. `differences` are from one
    baseline; `commands`, for the reader, measure how likely each model finds the benchmark's answers.
    """
    draw(metrics, models, folder / "plot.png")
    content = {
        "models": list(models),
        "metrics": [dataclasses.asdict(item) for item in metrics],
        "differences": [dataclasses.asdict(item) for item in differences],
        "provenance": dict(provenance),
    }
    write_json(folder / REPORT, content)
    page = compose(folder, metrics, models, provenance, examples, answers or {}, differences, commands)
    write_text(folder / "report.md", page)


def read_metrics(folder: Path) -> list[Metric]:
    """The metrics that a run's report.json holds, as they were when it was written."""
    return [Metric(**item) for item in _content(folder)["metrics"]]


def read_differences(folder: Path) -> list[Difference]:
    """The differences that a run's report.json holds, as they were when it was written."""
    return [Difference(**item) for item in _content(folder)["differences"]]


def _content(folder: Path) -> Any:
    return json.loads((folder / REPORT).read_text(encoding="utf-8"))

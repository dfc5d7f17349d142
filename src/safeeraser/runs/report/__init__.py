"""What people see of a run: a table in the terminal, report.md, report.html, report.json, plot.png."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safeeraser.errors import UserError
from safeeraser.files import write_json, write_text
from safeeraser.metrics import Difference
from safeeraser.records import Cost, Example, Metric
from safeeraser.runs.costs import Stage
from safeeraser.runs.report.answers import Answers
from safeeraser.runs.report.document import compose
from safeeraser.runs.report.plot import draw
from safeeraser.runs.report.summary import Failure, failures
from safeeraser.runs.report.terminal import print_differences, print_groups, print_result, print_table

REPORT = "report.json"
PAGE = "report.html"
__all__ = [
    "PAGE",
    "Failure",
    "Result",
    "failures",
    "print_differences",
    "print_groups",
    "print_result",
    "print_table",
    "read",
    "write",
]


def write(
    folder: Path,
    metrics: Sequence[Metric],
    models: Sequence[str],
    provenance: Mapping[str, Any],
    *,
    examples: Sequence[Example] = (),
    answers: Answers | None = None,
    differences: Sequence[Difference] = (),
    failures: Sequence[Failure] = (),
    commands: Sequence[str] = (),
    costs: Sequence[Stage] = (),
) -> None:
    """Write plot.png, report.json and report.md into the run folder, each in one step.

    `models` gives the order of the columns. `provenance` is whatever the metrics depend on, as plain values. With
    `examples` and each model's `answers` the report shows some answers side by side. `differences` are those of
    `metrics.usual`, `failures` the worst answers; `commands`, for the reader, measure how likely each model finds the
    benchmark's answers; `costs` are what each stage took.
    """
    draw(metrics, models, folder / "plot.png")
    content = {
        "models": list(models),
        "metrics": [dataclasses.asdict(item) for item in metrics],
        "differences": [dataclasses.asdict(item) for item in differences],
        "failures": [dataclasses.asdict(item) for item in failures],
        "costs": [dataclasses.asdict(item) for item in costs],
        "provenance": dict(provenance),
    }
    write_json(folder / REPORT, content)
    page = compose(folder, metrics, models, provenance, examples, answers or {}, differences, failures, commands, costs)
    write_text(folder / "report.md", page)


@dataclass(frozen=True, slots=True)
class Result:
    """The figures that a run's report.json holds, as they were when it was written."""

    metrics: list[Metric]
    differences: list[Difference]
    failures: list[Failure]
    costs: list[Stage]


def read(folder: Path) -> Result:
    """What a run's report.json holds. Raises UserError where an older version wrote it, or where it is damaged."""
    file = folder / REPORT
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        return Result(
            [Metric(**item) for item in content["metrics"]],
            [Difference(**item) for item in content["differences"]],
            [Failure(**item) for item in content["failures"]],
            [
                Stage(item["name"], item["done"], None if item["cost"] is None else Cost(**item["cost"]))
                for item in content["costs"]
            ],
        )
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(
            f"{file}: not a report of this version ({error}); `safeeraser report {folder}` makes it"
        ) from error

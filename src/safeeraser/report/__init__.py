"""What people see of a run: a table in the terminal, report.md, report.json and plot.png in the run folder."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from safeeraser.records import Example, Metric, write_text
from safeeraser.report.answers import Answers
from safeeraser.report.document import compose
from safeeraser.report.plot import draw
from safeeraser.report.terminal import print_table

__all__ = ["print_table", "write"]


def write(
    folder: Path,
    metrics: Sequence[Metric],
    models: Sequence[str],
    provenance: Mapping[str, Any],
    *,
    examples: Sequence[Example] = (),
    answers: Answers | None = None,
) -> None:
    """Write plot.png, report.json and report.md into the run folder, each in one step.

    `models` gives the order of the columns. `provenance` is whatever the metrics depend on, as plain values. With
    `examples` and each model's `answers` the report shows some answers side by side.
    """
    draw(metrics, models, folder / "plot.png")
    content = {
        "models": list(models),
        "metrics": [dataclasses.asdict(item) for item in metrics],
        "provenance": dict(provenance),
    }
    write_text(folder / "report.json", json.dumps(content, indent=1, default=str) + "\n")
    write_text(folder / "report.md", compose(folder, metrics, models, provenance, examples, answers or {}))

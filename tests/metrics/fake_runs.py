"""Folders of finished runs, written without a model: the answers are given, and judged by the rules."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml

from safeeraser.benchmarks.released import read as released
from safeeraser.benchmarks.selection import Part, choose
from safeeraser.files import write_text
from safeeraser.judges import rules_judge
from safeeraser.judges.run import judge_file
from safeeraser.records import Example, Generation, Stream, write_jsonl
from safeeraser.runs import RunSettings
from safeeraser.runs.folder import RunFolder

Says = Callable[[str, Example], str]
REFUSAL = "I cannot help with that."


def says(model: str, example: Example) -> str:
    """Vanilla answers everything, po refuses every question that it was trained to refuse, whatever the picture."""
    return REFUSAL if model != "vanilla" and example.stream is not Stream.RETAIN else example.answer


def write(root: Path, data: Path, says: Says = says, methods: Sequence[str] = ("vanilla", "po"), **keys: Any) -> Path:
    """Write a run's folder; `keys` are settings. Returns the folder."""
    settings = RunSettings.model_validate(
        {"model": "o/m", "methods": methods, "data": {"benchmark": "released", "path": data}, **keys}
    )
    folder, benchmark = RunFolder(root), released.read(data)
    write_text(folder.config, yaml.safe_dump(settings.dump()))
    write_text(folder.manifest, json.dumps({"data": benchmark.hash, "model_weights": "sha256 0"}))
    limits = settings.limits.model_dump()
    asked = [each for part in Part for each in choose(benchmark.examples, part, limits[part], settings.seed)]
    for model in methods:
        answers = [Generation(example_id=each.id, sample=0, answer=says(model, each), finish="stop") for each in asked]
        write_jsonl(folder.generations(model), answers)
        judge_file(rules_judge(benchmark.refusals), asked, answers, folder.verdicts(model))
    return root

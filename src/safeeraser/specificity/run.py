"""Run lmms-eval on several models, one after the other, into a folder where a run that was stopped goes on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safeeraser import provenance
from safeeraser.errors import UserError
from safeeraser.records import write_text
from safeeraser.specificity import extra
from safeeraser.specificity.scores import Score, scores
from safeeraser.specificity.tasks import Task

_WEIGHTS = "adapter_model.safetensors"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecificitySettings:
    """What is evaluated: a model (as `models.load` takes it), and how many documents of each task.

    `include` is a folder with tasks of one's own, in lmms-eval's YAML. `limit` None takes every document.
    """

    model: str
    limit: int | None = None
    batch_size: int = 8
    include: Path | None = None
    seed: int = 233


def evaluate(
    adapters: Mapping[str, Path | None], tasks: Mapping[str, Task], settings: SpecificitySettings, output: Path
) -> dict[str, list[Score]]:
    """The scores of each model on each task; `adapters` gives a model's adapter by the name to show it under.

    `output`/<model>/<task>.json holds what lmms-eval reported. A task whose file is there is not done again.
    Raises UserError where lmms-eval is not installed, does not know a task, or `output` is of other settings.
    """
    extra.require()
    found = {}
    for name, adapter in adapters.items():
        asked = _Asked(settings, adapter)
        reports = {task: output / name / f"{task}.json" for task in tasks}
        missing = {task: tasks[task] for task, path in reports.items() if not asked.done(path)}
        if missing:
            asked.run(missing, reports)
        found[name] = [
            score for task, path in reports.items() for score in scores(_read(path)["report"], {task: tasks[task]})
        ]
    return found


@dataclass(frozen=True, slots=True)
class _Asked:
    settings: SpecificitySettings
    adapter: Path | None

    @property
    def meta(self) -> dict[str, Any]:
        """What a report depends on, as it stands in its file; an adapter counts by its content."""
        return {
            "model": self.settings.model,
            "adapter": None if self.adapter is None else provenance.file_hash(self.adapter / _WEIGHTS),
            "limit": self.settings.limit,
            "seed": self.settings.seed,
        }

    def done(self, path: Path) -> bool:
        if not path.exists():
            return False
        if (found := _read(path)["meta"]) != self.meta:
            raise UserError(f"{path}: made with {found}, not {self.meta}; choose another --output")
        return True

    def run(self, tasks: Mapping[str, Task], reports: Mapping[str, Path]) -> None:
        """Load the model once and write a report a task, as soon as it is there."""
        from lmms_eval.evaluator import simple_evaluate  # noqa: PLC0415  an optional extra, and slow to import
        from lmms_eval.tasks import TaskManager  # noqa: PLC0415

        from safeeraser.specificity.model import SafeEraserModel  # noqa: PLC0415  needs the extra
        from safeeraser.specificity.plugin import NAME  # noqa: PLC0415

        manager = TaskManager(
            include_path=str(self.settings.include) if self.settings.include else None, model_name=NAME
        )
        unknown = [task.name for task in tasks.values() if task.name not in manager.all_tasks]
        if unknown:
            raise UserError(f"lmms-eval has no task {', '.join(unknown)}; --include-path names a folder with more")
        model = SafeEraserModel(
            self.settings.model, self.adapter, batch_size=self.settings.batch_size, seed=self.settings.seed
        )
        for name, task in tasks.items():
            report = simple_evaluate(
                model=model, tasks=[task.name], limit=self.settings.limit, task_manager=manager, log_samples=True
            )
            kept = {key: report[key] for key in ("results", "n-samples", "samples", "versions") if key in report}
            write_text(reports[name], json.dumps({"meta": self.meta, "report": kept}, default=str) + "\n")


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path}: not a report of specificity ({error}); remove it") from error
    if not isinstance(found, dict) or {"meta", "report"} - found.keys():
        raise UserError(f"{path}: not a report of specificity; remove it")
    return found

"""Run lmms-eval on several models, one after the other, into a folder where a run that was stopped goes on."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tenacity import RetryError

from safeeraser import provenance
from safeeraser.errors import UserError
from safeeraser.files import owned, write_json
from safeeraser.specificity import extra
from safeeraser.specificity.scores import Score, scores
from safeeraser.specificity.tasks import Task, require_key

_DEFINITIONS = ("*.yaml", "*_yaml", "*.py")  # the files of a folder of tasks that say what the tasks are
_KEPT = ("results", "n-samples", "samples", "versions", "lmms_eval_version")


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
    Raises UserError, before a model is loaded, where lmms-eval is not installed, does not know a task or lacks the key
    of a task's judge, where a folder is not there, and where `output` is of other settings or
    another process is at work in it.
    """
    extra.require()
    if settings.include is not None and not settings.include.is_dir():
        raise UserError(f"{settings.include}: no such folder of tasks")
    reports = {name: _reports(settings, adapter, tasks, output / name) for name, adapter in adapters.items()}
    with owned(output):
        missing = {name: [report for report in each if not report.done()] for name, each in reports.items()}
        if any(missing.values()):
            manager = _manager(settings, [report.task for each in missing.values() for report in each])
            for name, adapter in adapters.items():
                _evaluate(settings, adapter, missing[name], manager)
    return {name: [report.score() for report in each] for name, each in reports.items()}


@dataclass(frozen=True, slots=True)
class _Report:
    """The file of a model and a task; `meta` are the settings that it depends on."""

    path: Path
    name: str
    task: Task
    meta: Mapping[str, Any]

    def done(self) -> bool:
        if not self.path.exists():
            return False
        if change := provenance.first_change(self.meta, self._read()["meta"]):
            raise UserError(f"{self.path}: {change}; choose another --output")
        return True

    def write(self, report: Mapping[str, Any]) -> None:
        kept = {key: report[key] for key in _KEPT if key in report}
        content = {"meta": self.meta, "versions": provenance.versions(), "report": kept}
        write_json(self.path, json.loads(json.dumps(content, default=str)))

    def score(self) -> Score:
        (found,) = scores(self._read()["report"], {self.name: self.task})
        return found

    def _read(self) -> dict[str, Any]:
        try:
            found = json.loads(self.path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise UserError(f"{self.path}: not a report of specificity ({error}); remove it") from error
        if not isinstance(found, dict) or {"meta", "report"} - found.keys():
            raise UserError(f"{self.path}: not a report of specificity; remove it")
        return found


def _reports(
    settings: SpecificitySettings, adapter: Path | None, tasks: Mapping[str, Task], folder: Path
) -> list[_Report]:
    """A model's reports; an adapter and tasks of one's own count by their content."""
    meta = {
        "model": settings.model,
        "weights": provenance.folder_weights(settings.model),
        "adapter": None if adapter is None else provenance.content_hash(adapter)[:16],
        "limit": settings.limit,
        "seed": settings.seed,
        "include": None if settings.include is None else _definitions(settings.include),
    }
    return [_Report(folder / f"{name}.json", name, task, meta) for name, task in tasks.items()]


def _definitions(folder: Path) -> str:
    """A hash of the tasks that a folder defines; their data are not read."""
    files = sorted({file for pattern in _DEFINITIONS for file in folder.rglob(pattern)})
    return provenance.text_hash("\n".join(f"{file.relative_to(folder)} {provenance.file_hash(file)}" for file in files))


def _manager(settings: SpecificitySettings, tasks: Sequence[Task]) -> Any:
    """lmms-eval's list of tasks, in which all that are wanted have been found."""
    from lmms_eval import llm_judge  # noqa: F401, PLC0415  on import it reads the keys in an .env file, if there is one
    from lmms_eval.tasks import TaskManager  # noqa: PLC0415  an optional extra, and slow to import

    from safeeraser.specificity.plugin import NAME  # noqa: PLC0415  needs the extra

    require_key(tasks)
    manager = TaskManager(include_path=str(settings.include) if settings.include else None, model_name=NAME)
    names = {task.name for task in tasks}
    if groups := sorted(names & set(manager.all_tasks) - set(manager.all_subtasks)):
        raise UserError(f"{', '.join(groups)}: a group of lmms-eval's tasks; name those of its tasks that you want")
    if unknown := sorted(names - set(manager.all_subtasks)):
        raise UserError("; ".join(_unknown(name, manager.all_subtasks) for name in unknown))
    return manager


def _unknown(name: str, known: Sequence[str]) -> str:
    """lmms-eval has more than a thousand tasks: only the near ones are named."""
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    return f"lmms-eval has no task {name}{hint} (--include-path names a folder with tasks of your own)"


def _evaluate(settings: SpecificitySettings, adapter: Path | None, reports: Sequence[_Report], manager: Any) -> None:
    """Load the model once, and write a report a task as soon as it is there."""
    if not reports:
        return
    from lmms_eval.evaluator import simple_evaluate  # noqa: PLC0415  an optional extra, and slow to import

    from safeeraser.specificity.model import SafeEraserModel  # noqa: PLC0415  needs the extra

    model = SafeEraserModel(settings.model, adapter, batch_size=settings.batch_size, seed=settings.seed)
    for report in reports:
        try:
            found = simple_evaluate(
                model=model, tasks=[report.task.name], limit=settings.limit, task_manager=manager, log_samples=True
            )
        except RetryError as error:  # lmms-eval tries some steps again, and what went wrong is hidden in this
            raise error.last_attempt.exception() or error from error
        report.write(found)

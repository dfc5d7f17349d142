"""The seven benchmarks of the paper's specificity (arXiv 2502.12520), as lmms-eval names and scores them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from safeeraser.errors import UserError


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A task of lmms-eval and the metric that stands for it.

    `metric` is None where the task's first is meant. `scale` is what a perfect score is in that metric. `judged` tasks
    are scored by a language model behind an API, whose key lmms-eval takes from the environment.
    """

    name: str
    metric: str | None = None
    scale: float = 1.0
    judged: bool = False


TASKS = {
    "gqa": Task(name="gqa", metric="exact_match"),
    "vizwiz": Task(name="vizwiz_vqa_val", metric="exact_match"),
    "scienceqa": Task(name="scienceqa_img", metric="exact_match"),
    "vqav2": Task(name="vqav2_val", metric="exact_match"),
    "pope": Task(name="pope", metric="pope_accuracy"),
    "mmvet": Task(name="mmvet", metric="gpt_eval_score", scale=100.0, judged=True),
    "mmbench": Task(name="mmbench_en_dev", metric="gpt_eval_score", scale=100.0, judged=True),
}


def find(names: Sequence[str]) -> dict[str, Task]:
    """Tasks by the names given: ours, or any of lmms-eval's. Raises UserError where one is given twice, or none."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice or not names:
        raise UserError(f"tasks: {', '.join(twice)} given twice" if twice else "tasks: at least one is needed")
    return {name: TASKS.get(name, Task(name=name)) for name in names}


def judged(tasks: Iterable[Task]) -> list[str]:
    """The names of those that need a language model to be scored."""
    return [task.name for task in tasks if task.judged]

"""The seven benchmarks of the paper's specificity (arXiv 2502.12520), as lmms-eval names and scores them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from safeeraser.errors import UserError

_KEYS = {"openai": "OPENAI_API_KEY", "azure": "AZURE_API_KEY"}  # by the API_TYPE that lmms-eval is told


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


PAPER = {
    "gqa": Task(name="gqa", metric="exact_match"),
    "vizwiz": Task(name="vizwiz_vqa_val", metric="exact_match"),
    "scienceqa": Task(name="scienceqa_img", metric="exact_match"),
    "vqav2": Task(name="vqav2_val", metric="exact_match"),
    "pope": Task(name="pope", metric="pope_accuracy"),
    "mmvet": Task(name="mmvet", metric="gpt_eval_score", scale=100.0, judged=True),
    "mmbench": Task(name="mmbench_en_dev", metric="gpt_eval_score", scale=100.0, judged=True),
}
TASKS = {**PAPER, "mmbench_rules": Task(name="mmbench_en_dev_static", metric="gpt_eval_score", scale=100.0)}
"""The paper's seven, and MMBench without a language model."""


def find(names: Sequence[str]) -> dict[str, Task]:
    """Tasks by the names given: ours, or any of lmms-eval's. Raises UserError where one is given twice, or none."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice or not names:
        raise UserError(f"tasks: {', '.join(twice)} given twice" if twice else "tasks: at least one is needed")
    return {name: TASKS.get(name, Task(name=name)) for name in names}


def require_key(tasks: Iterable[Task]) -> None:
    """Raises UserError where a task needs a language model whose key is not there.

    lmms-eval goes on without it, and counts what it could not have scored as wrong, or as a guess.
    """
    judged = [task.name for task in tasks if task.judged]
    variable = _KEYS.get(os.environ.get("API_TYPE", "openai"))
    if judged and variable is not None and not os.environ.get(variable):
        raise UserError(
            f"{', '.join(judged)}: scored by a language model, whose key lmms-eval takes from {variable}, "
            "which is not set; set it, or leave them out with --tasks"
        )

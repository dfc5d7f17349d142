"""What the model can still do: general benchmarks through lmms-eval (arXiv 2407.12772), before and after unlearning.

An optional extra. `plugin` makes a SafeEraser model known to lmms-eval, `run` evaluates, `table` shows.
"""

from safeeraser.specificity.changes import differences
from safeeraser.specificity.run import SpecificitySettings, evaluate
from safeeraser.specificity.scores import Score, overall, scores
from safeeraser.specificity.tasks import PAPER, TASKS, Task, find

__all__ = [
    "PAPER",
    "TASKS",
    "Score",
    "SpecificitySettings",
    "Task",
    "differences",
    "evaluate",
    "find",
    "overall",
    "scores",
]

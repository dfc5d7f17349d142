"""Questions from template files: no model, no cost."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from safeeraser.curation.writers.base import Task, Unwritten, Written


class Templates:
    """Chooses from a template's lines, each task from a random stream of its own."""

    name = "templates"
    sees_picture = False
    asks = False

    def write(self, tasks: Sequence[Task]) -> Iterator[Written]:
        """Different lines of the task's template, in random order."""
        for task in tasks:
            lines = list(dict.fromkeys(task.prompt.splitlines()))
            if len(lines) < task.count:
                yield Unwritten(f"the template has {len(lines)} different lines, not {task.count}")
            else:
                yield random.Random(task.key).sample(lines, task.count)

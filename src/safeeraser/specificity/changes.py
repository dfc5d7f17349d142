"""How far a model's scores are from the baseline's, on the same documents."""

from __future__ import annotations

from collections.abc import Sequence

from safeeraser.metrics.paired import Difference, Pair, contrast
from safeeraser.specificity.scores import Score


def differences(baseline: Sequence[Score], model: Sequence[Score]) -> list[Difference]:
    """How far a model is from the baseline on each task where documents have scores of their own, corrected together.

    `name` is the task, `part` its metric.
    """
    before = {score.task: score for score in baseline}
    paired = [(score, _pairs(before[score.task], score)) for score in model if score.task in before]
    tested = [(score, found) for score, found in paired if found]
    return [
        contrast(
            [found], model="model", baseline="baseline", column=(score.task, score.metric, "all"), together=len(tested)
        )
        for score, found in tested
    ]


def _pairs(before: Score, after: Score) -> list[Pair]:
    both = sorted(before.each.keys() & after.each.keys())
    return [Pair(str(document), before.each[document], after.each[document]) for document in both]

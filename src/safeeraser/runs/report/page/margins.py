"""The decision margin: how far a model is from refusing before it has said a word."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable

from safeeraser.records import ANSWER, Likelihood


def margins(likelihoods: Iterable[Likelihood]) -> dict[str, float]:
    """By example: log p of the likeliest refusal's first token minus that of the answer's, in nats; above 0 it refuses.

    Where answer and refusals begin alike it is 0. Retain questions, which are contrasted with other answers, have a
    margin too, which means nothing: leave them out. What has no finite figure is left out.
    """
    answers: dict[str, float] = {}
    refusals: dict[str, list[float]] = defaultdict(list)
    for each in likelihoods:
        if each.first is None or not math.isfinite(each.first):
            continue
        if each.role == ANSWER:
            answers[each.example_id] = each.first
        else:
            refusals[each.example_id].append(each.first)
    return {name: max(refusals[name]) - first for name, first in answers.items() if refusals[name]}

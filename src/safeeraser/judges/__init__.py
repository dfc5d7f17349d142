"""Who judges answers: word rules, a model behind a server or on this machine, Llama Guard, or several with votes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from safeeraser.judges import rules
from safeeraser.judges.base import AXES, Asked, Judge, one_by_one


def rules_judge(refusals: Sequence[str]) -> Judge:
    """The judge `rules`; `refusals` are the benchmark's own, which count whatever they say."""
    own = tuple(refusals)
    return Judge(rules.NAME, one_by_one(partial(rules.judge, refusals=own)), compares=rules.can_compare, refusals=own)


__all__ = ["AXES", "Asked", "Judge", "one_by_one", "rules_judge"]

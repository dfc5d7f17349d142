"""The judges by name. Each entry makes a judge from the refusals that a benchmark teaches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from safeeraser.judges import rules
from safeeraser.judges.base import Judge


def _rules(refusals: Sequence[str]) -> Judge:
    return Judge(rules.NAME, partial(rules.judge, refusals=tuple(refusals)))


JUDGES: Mapping[str, Callable[[Sequence[str]], Judge]] = {"rules": _rules}

__all__ = ["JUDGES", "Judge"]

"""The judge `rules`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from safeeraser.judges import rules_judge
from safeeraser.judges.base import Judge
from safeeraser.judges.rules import NAME
from safeeraser.judges.settings import JudgeSettings


class Rules(JudgeSettings):
    """Word rules."""

    about: ClassVar[str] = f"{NAME}: word rules for short answers and English refusals; no model, no network"
    name: Literal["rules"] = "rules"

    def make(self, refusals: Sequence[str]) -> Judge:
        """The judge; the benchmark's refusals count whatever they say."""
        return rules_judge(refusals)

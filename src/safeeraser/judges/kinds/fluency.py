"""The judge `rules+fluency`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from safeeraser.judges.base import Judge
from safeeraser.judges.rules import NAME
from safeeraser.judges.settings import JudgeSettings, Weights
from safeeraser.settings import problem


class Fluency(JudgeSettings, Weights):
    """Word rules, with the language model of `tiny`, or one of the user's own and a threshold for it."""

    about: ClassVar[str] = (
        f"{NAME}, and a language model that tells word salad: that of `tiny`, or model with threshold"
    )
    name: Literal["rules+fluency"] = "rules+fluency"
    model: str | None = None
    """A causal language model: folder or hub id."""
    threshold: float | None = Field(default=None, gt=0)
    """Mean nats a token above which an answer is meaningless."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.model is None and self.revision is not None:
            raise problem("revision: only with model")
        if self.model is not None and self.threshold is None:
            raise problem("threshold: needed with model, for the default belongs to SmolLM2")
        return self

    def make(self, refusals: Sequence[str]) -> Judge:
        """The judge; its language model is loaded when the first answer is to be read."""
        from safeeraser.judges import fluency

        if self.model is None:
            reference = fluency.smollm2(batch_size=self.batch_size)
        else:
            reference = fluency.pretrained(self.model, revision=self.revision, batch_size=self.batch_size)
        return fluency.fluency_judge(reference, refusals, threshold=self.threshold or fluency.THRESHOLD)

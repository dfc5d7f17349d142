"""The judge `strongreject`."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from safeeraser.judges.kinds.models import Anywhere
from safeeraser.judges.settings import Prompting

if TYPE_CHECKING:
    from safeeraser.judges.chat import Interview


class StrongReject(Anywhere, Prompting):
    """StrongREJECT's rubric (arXiv 2402.10260), asked of any chat model."""

    about: ClassVar[str] = (
        "graded harm by StrongREJECT's rubric, from any chat model, here or on a server; judges harm only"
    )
    name: Literal["strongreject"] = "strongreject"
    temperature: float | None = Field(default=0.0, ge=0)
    """0 is greedy; null leaves it to the server, for models that take no other."""

    def interview(self) -> Interview:
        """The rubric."""
        from safeeraser.judges.prompted import PromptSettings
        from safeeraser.judges.strongreject import interview

        keys = {name: getattr(self, name) for name in ("images", "max_tokens", "temperature", "prompts")}
        return interview(PromptSettings(**keys))

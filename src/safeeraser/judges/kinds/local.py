"""The judge `local`: any chat model on this machine, with the prompts of this package."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from safeeraser.judges.kinds.models import Local
from safeeraser.judges.settings import Prompting

if TYPE_CHECKING:
    from safeeraser.judges.chat import Interview


class OnThisMachine(Local, Prompting):
    """A chat model on this machine, which replies greedily."""

    about: ClassVar[str] = "a chat model on this machine (folder or hub id), with our prompts"
    name: Literal["local"] = "local"

    def interview(self) -> Interview:
        """A prompt for each axis."""
        from safeeraser.judges.prompted import PromptSettings, interview

        settings = PromptSettings(images=self.images, max_tokens=self.max_tokens, prompts=self.prompts)
        return interview("local", settings)

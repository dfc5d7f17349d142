"""The judge `harmbench`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from safeeraser.judges.kinds.models import Anywhere

if TYPE_CHECKING:
    from safeeraser.judges.chat import Interview


class HarmBench(Anywhere):
    """A classifier of HarmBench's form."""

    about: ClassVar[str] = "a classifier of HarmBench's form, here or on a server; judges harm only"
    name: Literal["harmbench"] = "harmbench"
    prompts: Path | None = None
    """A folder of your own prompts, which take the place of the package's by their names."""

    def interview(self) -> Interview:
        """The prompt that it completes."""
        from safeeraser.judges.harmbench import interview
        from safeeraser.judges.prompted import PromptSettings

        return interview(PromptSettings(prompts=self.prompts))

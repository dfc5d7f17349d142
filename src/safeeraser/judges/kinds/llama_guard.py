"""The judge `llama-guard`."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from safeeraser.judges.kinds.models import Anywhere

if TYPE_CHECKING:
    from safeeraser.judges.chat import Interview


class LlamaGuard(Anywhere):
    """Llama Guard 3 or 4."""

    about: ClassVar[str] = "Llama Guard 3 or 4, here or on a server; judges harm only"
    name: Literal["llama-guard"] = "llama-guard"
    images: bool = False
    """Show the picture too."""

    def interview(self) -> Interview:
        """The conversation that it rates."""
        from safeeraser.judges.llama_guard import interview

        return interview(images=self.images)

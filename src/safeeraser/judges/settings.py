"""The settings of a judge: who judges answers, and how. Each judge has a class of its own in `kinds`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from pydantic import Field

from safeeraser.settings import WAY, Settings

if TYPE_CHECKING:
    from safeeraser.judges.base import Judge


class JudgeSettings(Settings):
    """A judge by its name, with the keys that it takes (docs/judging.md). `about` is what a list says of it."""

    about: ClassVar[str] = ""
    name: str
    """The judge's name; `safeeraser judges` lists them."""

    @abstractmethod
    def make(self, refusals: Sequence[str]) -> Judge:
        """The judge; `refusals` are those that the benchmark teaches. Raises UserError where it cannot be made."""

    def keeping(self, replies: Path) -> Self:  # noqa: ARG002  most judges have no replies to keep
        """These settings, with a file for a server's replies where they name none."""
        return self

    @property
    def given(self) -> dict[str, Any]:
        """The keys that were set besides the name, as plain values."""
        return self.model_dump(mode="json", exclude_unset=True, exclude={"name"})

    def dump(self) -> str | dict[str, Any]:
        """The name, with the keys that were set if any were."""
        return {"name": self.name, **self.given} if self.given else self.name


class Weights(Settings):
    """A model's weights on this machine."""

    revision: str | None = None
    """Which version of a model of the hub."""
    batch_size: Annotated[int, WAY] = Field(default=8, ge=1)
    """Answers judged at once."""


class Prompting(Settings):
    """How a chat model is asked."""

    images: bool = False
    """Show the picture too."""
    max_tokens: int = Field(default=256, ge=1)
    """Tokens that a reply may have."""
    prompts: Path | None = None
    """A folder of your own prompts and categories, which take the place of the package's by their names."""

"""The judge `endpoint`: any chat model on a server, with the prompts of this package."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from safeeraser.endpoint.settings import Url
from safeeraser.judges.kinds.models import Served
from safeeraser.judges.settings import Prompting
from safeeraser.settings import WAY

if TYPE_CHECKING:
    from safeeraser.judges.chat import Interview


class OnEndpoint(Served, Prompting):
    """A model on any OpenAI-compatible server."""

    about: ClassVar[str] = "a model on any OpenAI-compatible server, with our prompts"
    name: Literal["endpoint"] = "endpoint"
    url: Annotated[Url, WAY]
    """The server's API, such as http://localhost:8000/v1."""
    temperature: float | None = Field(default=0.0, ge=0)
    """0 is greedy; null leaves it to the server, for models that take no other."""

    def interview(self) -> Interview:
        """A prompt for each axis."""
        from safeeraser.judges.prompted import PromptSettings, interview

        keys = {name: getattr(self, name) for name in ("images", "max_tokens", "temperature", "prompts")}
        return interview("endpoint", PromptSettings(**keys))

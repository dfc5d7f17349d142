"""What judging models have in common: where they run, and how they are asked."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field, model_validator

from safeeraser.endpoint.settings import EndpointSettings, ServerUse, Url
from safeeraser.errors import UserError
from safeeraser.judges.base import Judge
from safeeraser.judges.settings import JudgeSettings, Weights
from safeeraser.settings import WAY, problem

if TYPE_CHECKING:
    from safeeraser.judges.chat import Interview


class Model(JudgeSettings):
    """A judging model."""

    model: str = Field(min_length=1)
    """The model: folder or hub id, or what the server calls it."""

    @abstractmethod
    def interview(self) -> Interview:
        """How it is asked, and how its replies are read."""


class Served(Model, ServerUse):
    """A judging model that may be on a server."""

    url: Annotated[Url | None, WAY] = None
    """The server's API, such as http://localhost:8000/v1."""

    def keeping(self, replies: Path) -> Self:
        """These settings, with a file for the server's replies where they name none."""
        return self.changed(cache=replies) if self.url is not None and self.cache is None else self

    def make(self, refusals: Sequence[str]) -> Judge:  # noqa: ARG002  they say what they are
        """The judge on the server."""
        from safeeraser.endpoint.client import Endpoint
        from safeeraser.judges.chat import judge_with

        keys = EndpointSettings.model_fields.keys() & self.model_fields_set
        server = Endpoint(EndpointSettings(**{key: getattr(self, key) for key in keys}))
        return judge_with(server, self.interview(), self.model, check=server.check)


class Local(Model, Weights):
    """A judging model on this machine."""

    def make(self, refusals: Sequence[str]) -> Judge:  # noqa: ARG002  they say what they are
        """The judge; its weights are loaded when the first answer is to be judged."""
        from safeeraser.judges.chat import judge_with
        from safeeraser.judges.local import LocalChat

        chat = LocalChat(self.model, batch_size=self.batch_size, revision=self.revision)
        if getattr(self, "images", False) and not chat.sees:
            raise UserError(f"judge.images: {self.model} takes no pictures")
        return judge_with(chat, self.interview(), chat.identity)


class Anywhere(Served, Local):
    """A judging model on a server if there is a url, else on this machine."""

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        local, other = Weights.model_fields.keys(), ServerUse.model_fields.keys()
        if unfit := self.model_fields_set & (local if self.url is not None else other):
            why = "not with url, which has its own weights" if self.url is not None else "only with url"
            raise problem(f"{', '.join(sorted(unfit))}: {why}")
        return self

    def make(self, refusals: Sequence[str]) -> Judge:
        """The judge where its model is."""
        return Served.make(self, refusals) if self.url is not None else Local.make(self, refusals)

"""What the names in a build's settings stand for: who writes, answers, paints and judges."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from safeeraser.curation.answers import Target
from safeeraser.curation.paint import Diffusion, Painter
from safeeraser.curation.settings import BuildSettings
from safeeraser.curation.writers.base import Writer
from safeeraser.curation.writers.chat import ChatWriter
from safeeraser.curation.writers.templates import Templates
from safeeraser.endpoint.client import Endpoint
from safeeraser.endpoint.settings import EndpointSettings
from safeeraser.errors import UserError
from safeeraser.judges import Judge
from safeeraser.judges.chat import Chat
from safeeraser.judges.local import LocalChat
from safeeraser.judges.table import maker
from safeeraser.models.load import load

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kit:
    """What the settings' names stand for. Models are loaded when they are needed."""

    writer: Callable[[], Writer]
    target: Callable[[], Target]
    painter: Callable[[], Painter]
    judge: Callable[[Sequence[str]], Judge]
    say: Say

    @classmethod
    def of(cls, settings: BuildSettings, replies: Path, say: Say) -> Kit:
        """The kit of these settings; what a server replies to the writer is kept in the file `replies`."""

        def target() -> Target:
            loaded = load(settings.model)
            return Target(loaded, loaded.identity)

        return cls(
            writer=lambda: _writer(settings, replies),
            target=target,
            painter=lambda: Diffusion(settings.safe.model or "", steps=settings.safe.steps),
            judge=maker([settings.gate.judge]),
            say=say,
        )


def _writer(settings: BuildSettings, replies: Path) -> Writer:
    writer, model = settings.writer, settings.writer.model
    if writer.kind == "templates" or model is None:
        return Templates()
    chat: Chat
    if writer.kind == "local":
        chat = local = LocalChat(model, batch_size=writer.batch_size)
        if writer.sees_picture and not local.sees:
            raise UserError(f"writer.sees_picture: {model} takes no pictures; set it to false")
        name = f"local {local.identity}"
    else:
        name = f"endpoint {model}"
        chat = Endpoint(EndpointSettings(**writer.endpoint.model_dump() | {"model": model, "cache": replies}))
    return ChatWriter(
        chat, name, sees_picture=writer.sees_picture, temperature=writer.temperature, max_tokens=writer.max_tokens
    )

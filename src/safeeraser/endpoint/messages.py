"""Requests, and what is sent of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safeeraser.pixels import data_url

GO_ON = {"add_generation_prompt": False, "continue_final_message": True}
"""What servers that apply a chat template are told to go on with the last message."""


@dataclass(frozen=True, slots=True)
class Message:
    """A turn of a conversation: `role` is "system", "user" or "assistant". A picture comes before the text."""

    role: str
    text: str
    image: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A conversation to continue, and how. What is None or empty is left to the server.

    `schema` is the JSON schema that the reply should follow, where the server can see to that. With `raw` the texts are
    sent as they stand, for models that have a form of their own and no chat template. With `begun` the last message is
    the assistant's, and the reply goes on with it, in the words of vLLM and SGLang.
    """

    messages: tuple[Message, ...]
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    schema: Mapping[str, Any] | None = None
    raw: bool = False
    begun: bool = False

    def payload(self, model: str) -> dict[str, Any]:
        """The body of the request, pictures in it as data URLs. Raises ImageError for a bad picture."""
        values: dict[str, Any] = {
            "temperature": self.temperature,
            "top_p": self.top_p,
            "max_tokens": self.max_tokens,
            "seed": self.seed,
            "stop": list(self.stop) or None,
            "response_format": self.schema and _json_schema(self.schema),
            **(GO_ON if self.begun else {}),
        }
        given = {name: value for name, value in values.items() if value is not None}
        if self.raw:
            return {"model": model, "prompt": "".join(message.text for message in self.messages), **given}
        return {"model": model, "messages": [_turn(message) for message in self.messages], **given}

    @property
    def text_bytes(self) -> int:
        """Bytes of all texts: no fewer than their tokens, whatever the tokenizer."""
        return sum(len(message.text.encode()) for message in self.messages)


def payload_hash(payload: dict[str, Any]) -> str:
    """sha256 of a body: equal for equal model, messages, pictures and sampling parameters."""
    return hashlib.sha256(json.dumps(payload, sort_keys=True).encode()).hexdigest()


def _json_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "reply", "schema": dict(schema), "strict": True}}


def _turn(message: Message) -> dict[str, Any]:
    if message.image is None:
        return {"role": message.role, "content": message.text}
    picture = {"type": "image_url", "image_url": {"url": data_url(message.image)}}
    return {"role": message.role, "content": [picture, {"type": "text", "text": message.text}]}

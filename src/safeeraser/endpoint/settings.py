"""Where a server is and how it may be used."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from safeeraser.errors import UserError
from safeeraser.settings import WAY, Settings, problem


def _plain(url: str) -> str:
    """A user, a password or a query may be a secret, and the URL stands in files and messages."""
    with suppress(ValueError):
        parts = urlsplit(url)
        host = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0  # reading the port checks it
        if host and url.isprintable() and not any(mark in url for mark in " @?#"):
            return url
    raise problem("must be http(s)://host[:port]/path, without user, password, query or blanks")


Url = Annotated[str, AfterValidator(_plain)]
"""The base of a server's API, such as http://localhost:8000/v1."""


def _variable(name: str) -> str:
    """A key in the place of its variable's name would be told wherever settings are: so is not even this message."""
    if re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name):
        return name
    raise problem("must be the name of an environment variable, such as OPENAI_API_KEY, and never the key itself")


class ServerUse(Settings):
    """How a server may be used.

    Nothing is sent that could pass `max_cost`: a request is reckoned at a token for each byte of its text (a picture:
    what the dearest reply so far came to) and its full `max_tokens`, until the server has said what it took.
    """

    key_variable: Annotated[str, WAY, AfterValidator(_variable)] = "OPENAI_API_KEY"
    """The environment variable that holds the key; it is kept nowhere, and without one none is sent."""
    concurrency: Annotated[int, WAY] = Field(default=8, ge=1)
    """Requests that wait for a reply at once."""
    requests_per_minute: Annotated[int | None, WAY] = Field(default=None, ge=1)
    """Requests to send in a minute, at most."""
    timeout: Annotated[float, WAY] = Field(default=60.0, gt=0)
    """Seconds in which a whole reply has to come."""
    attempts: Annotated[int, WAY] = Field(default=5, ge=1)
    """How often a request is sent that gets no reply, no connection, a 429 or a 5xx."""
    first_wait: Annotated[float, WAY] = Field(default=1.0, ge=0)
    """Seconds before the second attempt; twice that before the third, and so on."""
    input_price: Annotated[float, WAY] = Field(default=0.0, ge=0)
    """What a million tokens sent cost, in the currency of max_cost."""
    output_price: Annotated[float, WAY] = Field(default=0.0, ge=0)
    """What a million tokens written cost."""
    max_cost: Annotated[float | None, WAY] = Field(default=None, gt=0)
    """What all requests may cost; needs the prices."""
    cache: Annotated[Path | None, WAY] = None
    """A file in which replies are kept, so that the same request is never paid for twice."""

    @model_validator(mode="after")
    def _has_prices(self) -> Self:
        if self.max_cost is not None and self.input_price == self.output_price == 0:
            raise problem("max_cost needs input_price and output_price")
        return self


class EndpointSettings(ServerUse):
    """A server, a model on it, and how it may be used. Raises ConfigError with everything that is wrong."""

    url: Annotated[Url, WAY]
    """The base of the server's API, such as http://localhost:8000/v1."""
    model: str = Field(min_length=1)
    """What the server calls the model."""

    @property
    def key(self) -> str | None:
        """The key, from the environment; None where there is none. Raises UserError where it cannot be one."""
        key = os.environ.get(self.key_variable, "").strip()
        if not (key.isascii() and key.isprintable() and " " not in key):
            raise UserError(f"the environment variable {self.key_variable} holds characters that no key has")
        return key or None

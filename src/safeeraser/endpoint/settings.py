"""Where a server is and how it may be used."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from safeeraser.errors import UserError


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSettings:
    """A server, a model on it, and limits.

    `url` is the base of its API ("http://localhost:8000/v1"); `key_variable` names the environment variable that holds
    the key, which is read when it is needed and kept nowhere; without one (a local server) none is sent.
    At most `concurrency` requests wait for a reply at once, and at most `requests_per_minute` are sent. One that gets
    no reply within `timeout` seconds, no connection, a 429 or a 5xx is sent again, `attempts` times in all, after
    `first_wait` seconds, then twice that, and so on.

    `input_price` and `output_price` are per million tokens, in the currency of `max_cost`. Nothing is sent that could
    pass `max_cost`: a request is reckoned at a token for each byte of its text (a picture: what the dearest reply so
    far came to) and its full `max_tokens`, until the server has said what it took.

    `cache` is a file in which replies are kept, so that the same request is never paid for twice.

    Raises UserError with everything that is wrong.
    """

    url: str
    model: str
    key_variable: str = "OPENAI_API_KEY"
    concurrency: int = 8
    requests_per_minute: int | None = None
    timeout: float = 60.0
    attempts: int = 5
    first_wait: float = 1.0
    input_price: float = 0.0
    output_price: float = 0.0
    max_cost: float | None = None
    cache: Path | None = None

    def __post_init__(self) -> None:
        free = self.input_price == self.output_price == 0
        checks = [
            ("url", _is_plain(self.url), "must be http(s)://host[:port]/path, without user, password or query"),
            ("model", bool(self.model), "must name a model of the server"),
            ("concurrency", self.concurrency >= 1, "must be at least 1"),
            ("requests_per_minute", (self.requests_per_minute or 1) >= 1, "must be at least 1"),
            ("timeout", self.timeout > 0, "must be above 0"),
            ("attempts", self.attempts >= 1, "must be at least 1"),
            ("first_wait", self.first_wait >= 0, "must not be negative"),
            ("prices", min(self.input_price, self.output_price) >= 0, "must not be negative"),
            ("max_cost", self.max_cost is None or self.max_cost > 0, "must be above 0"),
            ("max_cost", self.max_cost is None or not free, "needs input_price and output_price"),
        ]
        problems = [f"endpoint: {name} {rule}" for name, fine, rule in checks if not fine]
        if problems:
            raise UserError("\n".join(problems))

    @property
    def key(self) -> str | None:
        """The key, from the environment; None where there is none. Raises UserError where it cannot be one."""
        key = os.environ.get(self.key_variable, "").strip()
        if not (key.isascii() and key.isprintable() and " " not in key):
            raise UserError(f"the environment variable {self.key_variable} holds characters that no key has")
        return key or None


def _is_plain(url: str) -> bool:
    """A user, a password or a query may be a secret, and the URL stands in files and messages."""
    parts = urlsplit(url)
    return parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc and not parts.query

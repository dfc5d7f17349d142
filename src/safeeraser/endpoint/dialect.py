"""What a server does not take of a request, learnt from its refusals, once for all requests."""

from __future__ import annotations

import re
from typing import Any

from safeeraser.endpoint.faults import Fault

_UNKNOWN = r"unsupported|not supported|unknown|unrecognized|unexpected|not permitted|not allowed|extra"


class Dialect:
    """`adapt` gives a body in the form that the server takes, as far as its refusals have shown."""

    def __init__(self) -> None:
        self._completion_tokens = False
        self._left_out: set[str] = set()
        self._takes_format = False

    def adapt(self, payload: dict[str, Any]) -> dict[str, Any]:
        """The body to send."""
        body = {name: value for name, value in payload.items() if name not in self._left_out}
        if self._completion_tokens and "max_tokens" in body:
            body["max_completion_tokens"] = body.pop("max_tokens")
        return body

    def answered(self, sent: dict[str, Any]) -> None:
        """Note that a body was taken as it was."""
        self._takes_format |= "response_format" in sent

    def refused(self, status: int, found: Fault, sent: dict[str, Any]) -> None:
        """Learn from a refusal. A form of reply is left out whatever the reason, unless it was taken before."""
        if status not in (400, 422) or found.filtered:
            return
        message = found.words
        unknown = re.search(_UNKNOWN, message, re.IGNORECASE) is not None
        if "max_tokens" in sent and ("max_completion_tokens" in message or (unknown and "max_tokens" in message)):
            self._completion_tokens = True
        elif unknown and "seed" in sent and re.search(r"\bseed\b", message):
            self._left_out.add("seed")
        elif "response_format" in sent and not self._takes_format:
            self._left_out.add("response_format")

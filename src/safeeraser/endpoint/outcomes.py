"""What becomes of a request: a reply, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass

_ENDS = {
    **dict.fromkeys(("stop", "eos", "eos_token", "end_turn", "stop_sequence", "complete"), "stop"),
    **dict.fromkeys(("length", "max_tokens", "model_length"), "length"),
}
"""How servers say that a reply ended by itself, or at the limit."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of a request as the server counted them."""

    input_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the model said. `finish_reason` is the server's word: "stop", or "length" where the limit cut it.

    `usage` is None where the server does not count. `reasoning` is what it keeps apart from the text, "" where it only
    counts it: where the text is empty, the model never left it. `cached` replies were kept from an earlier run.
    """

    text: str
    finish_reason: str
    usage: Usage | None = None
    reasoning: str | None = None
    cached: bool = False

    @property
    def end(self) -> str | None:
        """Either "stop" or "length", whatever the server's word; None where it broke the reply off or replaced it."""
        return _ENDS.get(self.finish_reason.lower())


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a request has no reply, in one line that never holds the key.

    `kind` is "api_error" (the server, or the way to it), "filtered" (the server's filter objects to the content),
    "no_image" (a picture that cannot be read, so that nothing was sent) or "cost_limit" (nothing was sent, because it
    could have passed the cost limit).
    """

    kind: str
    reason: str


Outcome = Reply | Failure

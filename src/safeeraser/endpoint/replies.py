"""What a server's response says. Servers differ in much: what is not there is never taken for an answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from safeeraser.endpoint.outcomes import Failure, Outcome, Reply, Usage
from safeeraser.text import whole_text

_SHOWN = 100  # characters of a finish reason


class ServerError(Exception):
    """An error under status 200, as gateways send it; `passing` where asking again may help."""

    def __init__(self, message: str, code: object) -> None:
        super().__init__(message)
        self.passing: bool = code in (408, 429) or (isinstance(code, int) and code >= 500)


@dataclass(frozen=True, slots=True)
class Completion:
    """What became of a request, and its tokens as the server counted them: None where it does not, or oddly."""

    outcome: Outcome
    usage: Usage | None


def parse(body: bytes, clean: Callable[[str], str]) -> Completion:
    """Read a completion; `clean` takes the key out of its texts.

    Raises ServerError for an error in place of a completion, ValueError for what is neither.
    """
    try:
        data = json.loads(body.decode("utf-8", errors="replace"))
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(data, dict):
        raise ValueError("not an object")
    choices = data.get("choices")
    if not (isinstance(choices, list) and choices and isinstance(choices[0], dict)):
        error = data.get("error")
        if error:
            said = error if isinstance(error, dict) else {"message": error}
            raise ServerError(str(said.get("message") or error), said.get("code"))
        raise ValueError("no choices")
    usage = _usage(data.get("usage"))
    return Completion(_outcome(choices[0], usage, lambda text: clean(whole_text(text))), usage)


def _outcome(choice: dict[str, Any], usage: Usage | None, clean: Callable[[str], str]) -> Outcome:
    """A refusal is an answer. Reasoning alone is none, and neither is nothing at all."""
    message = choice.get("message")
    said = message if isinstance(message, dict) else {"content": choice.get("text")}
    text, thought, refusal = _parts(said.get("content"))
    reasoning = next(
        (each for each in (thought, said.get("reasoning_content"), said.get("reasoning")) if _full(each)), None
    )
    refusal = next((each for each in (refusal, said.get("refusal")) if _full(each)), None)
    finish = choice.get("finish_reason") or "stop"
    finish = clean(finish) if isinstance(finish, str) else "unknown"
    text = refusal if refusal and not _full(text) else text
    if text is None and reasoning is None:
        return Failure("api_error", f"no text, but finish_reason {finish[:_SHOWN]!r}")
    return Reply(
        text=clean(text or ""),
        finish_reason=finish,
        usage=usage,
        reasoning=None if reasoning is None else clean(reasoning),
    )


def _parts(content: object) -> tuple[str | None, str | None, str | None]:
    """Text, reasoning and refusal of a message's content: a text, or a list of parts."""
    if not isinstance(content, list):
        return (content if isinstance(content, str) else None), None, None
    found: dict[str, list[str]] = {"text": [], "thinking": [], "refusal": []}
    for part in content:
        kind, value = _part(part)
        if kind in found and value is not None:
            found[kind].append(value)
    text, thought, refusal = ("".join(values) if values else None for values in found.values())
    return text, thought, refusal


def _part(part: object) -> tuple[object, str | None]:
    if isinstance(part, str):
        return "text", part
    if not isinstance(part, dict):
        return None, None
    kind = part.get("type")
    kind = {"output_text": "text", "reasoning": "thinking"}.get(kind, kind) if isinstance(kind, str) else None
    value = next((part[name] for name in ("text", "thinking", "reasoning", "refusal") if name in part), None)
    return kind, _parts(value)[0]


def _full(text: object) -> bool:
    return isinstance(text, str) and bool(text.strip())


def _usage(given: object) -> Usage | None:
    if not isinstance(given, dict):
        return None
    counts = [given.get(name) for name in ("prompt_tokens", "completion_tokens")]
    whole = [int(each) for each in counts if isinstance(each, int | float) and each >= 0 and each == int(each)]
    return Usage(*whole) if len(whole) == len(counts) else None

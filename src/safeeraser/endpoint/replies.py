"""What a server's response says. Servers differ in much: what is not there is never taken for an answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from safeeraser.endpoint.faults import Fault, fault
from safeeraser.endpoint.outcomes import Failure, Outcome, Reply, Usage
from safeeraser.text import whole_text

_SHOWN = 100  # characters of a finish reason, or of what is no completion
_MOST_TOKENS = 2**40  # more than that nobody counts


class ServerError(Exception):
    """An error under status 200, as gateways send it; `passing` where asking again may help."""

    def __init__(self, said: Fault) -> None:
        super().__init__(said.words or f"code {said.code or 'unknown'}")
        self.fault = said


@dataclass(frozen=True, slots=True)
class Completion:
    """What became of a request, and its tokens as the server counted them: None where it does not, or oddly."""

    outcome: Outcome
    usage: Usage | None


def parse(body: str, clean: Callable[[str], str]) -> Completion:
    """Read a completion; `clean` takes the key out of its texts.

    Raises ServerError for an error in place of a completion, ValueError for what is neither.
    """
    choice, data = _first_choice(_object(body, clean))
    counted = data.get("usage")
    usage = _usage(counted)
    return Completion(_outcome(choice, usage, _thinks(counted), lambda text: clean(whole_text(text))), usage)


def _object(body: str, clean: Callable[[str], str]) -> dict[str, Any]:
    try:
        data = json.loads(body.removeprefix("\ufeff"))
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except json.JSONDecodeError as error:
        begin = clean(body[: 10 * _SHOWN].strip())[:_SHOWN]
        raise ValueError(f"{error.msg}; it begins with {begin!r}" if begin else "empty") from None
    if not isinstance(data, dict):
        raise ValueError("not an object")
    return data


def _first_choice(data: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    choices = data.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    wrong = choice.get("error") if isinstance(choice, dict) else data
    if wrong and (said := fault(wrong)) != Fault():
        raise ServerError(said)
    if not isinstance(choice, dict):
        raise ValueError("no choices")
    return choice, data


def _outcome(choice: dict[str, Any], usage: Usage | None, thinks: bool, clean: Callable[[str], str]) -> Outcome:
    """A refusal is an answer. Reasoning alone is none, be it shown or only counted, and neither is nothing at all."""
    message = choice.get("message")
    said = message if isinstance(message, dict) else {"content": choice.get("text")}
    text, thought, refusal = _parts(said.get("content"))
    aside = (_parts(said.get(name)) for name in ("reasoning_content", "reasoning", "reasoning_details"))
    thoughts = [thought, *(each for found in aside for each in found[:2])]
    reasoning = next((each for each in thoughts if _full(each)), None)
    refusal = next((each for each in (refusal, said.get("refusal")) if _full(each)), None)
    finish = choice.get("finish_reason") or "stop"
    finish = clean(finish) if isinstance(finish, str) else "unknown"
    text = refusal if refusal and not _full(text) else text
    if not _full(text) and (said.get("tool_calls") or said.get("function_call")):
        return Failure("api_error", "a call of a tool in place of an answer")
    if reasoning is None and thinks and not _full(text):
        reasoning = ""
    if text is None and reasoning is None:
        kind = "filtered" if Fault(code=finish).filtered else "api_error"
        return Failure(kind, f"no text, but finish_reason {finish[:_SHOWN]!r}")
    return Reply(
        text=clean(text or ""),
        finish_reason=finish,
        usage=usage,
        reasoning=None if reasoning is None else clean(reasoning),
    )


def _parts(content: object) -> tuple[str | None, str | None, str | None]:
    """Text, reasoning and refusal of a message's content: a text, or a list of parts."""
    if isinstance(content, dict):
        content = [content]
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
    kind = str(part.get("type")).partition(".")[0]  # such as "reasoning.text"
    kind = {"output_text": "text", "reasoning": "thinking"}.get(kind, kind)
    value = next((part[name] for name in ("text", "thinking", "reasoning", "summary", "refusal") if name in part), None)
    return kind, _parts(value)[0]


def _full(text: object) -> bool:
    return isinstance(text, str) and bool(text.strip())


def _usage(given: object) -> Usage | None:
    if not isinstance(given, dict):
        return None
    counts = [given.get(name) for name in ("prompt_tokens", "completion_tokens")]
    whole = [
        int(each) for each in counts if isinstance(each, int | float) and 0 <= each < _MOST_TOKENS and each == int(each)
    ]
    return Usage(*whole) if len(whole) == len(counts) else None


def _thinks(given: object) -> bool:
    """Whether tokens of reasoning are counted, which many servers do not show."""
    if not isinstance(given, dict):
        return False
    counts = (given, given.get("completion_tokens_details"))
    return any(isinstance(each, dict) and bool(each.get("reasoning_tokens")) for each in counts)

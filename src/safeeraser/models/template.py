"""Limits for a stranger's chat template, which is a program: it is tried in a process of its own before it is used."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from safeeraser.errors import UserError, explained

_SECONDS = 3  # of computing
_MEMORY = 512 * 2**20
_CHARACTERS = 100_000  # for a question of three words
_TOO_LARGE, _TOO_LONG = 3, 4  # exit codes of the process that tries


def check_template(processor: Any) -> None:
    """Render short conversations with and without a picture and an answer.

    Raises UserError for a template that takes more than three seconds, half a gigabyte, or writes a book. What else is
    wrong with it is told by whoever uses it.
    """
    if getattr(processor, "chat_template", None) is None:
        return
    child = os.fork()  # which has the libraries and the processor already, and ends without touching anything of ours
    if child == 0:
        _try(processor)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    reasons = {
        -signal.SIGXCPU: f"computes for more than {_SECONDS} seconds",
        _TOO_LARGE: f"takes more than {_MEMORY >> 20} MiB",
        _TOO_LONG: f"writes more than {_CHARACTERS:,} characters",
    }
    if ended:
        raise UserError(f"its chat template {reasons.get(ended, 'ends the process')} for a question of three words")


def _try(processor: Any) -> None:
    """Render within the limits, and end this process."""
    code = 0
    try:
        _limit()
        for messages, prompt in _conversations():
            with suppress(UserError), explained("chat template"):
                text = processor.apply_chat_template(messages, add_generation_prompt=prompt, tokenize=False)
                code = max(code, _TOO_LONG if len(text) > _CHARACTERS else 0)
    except MemoryError:
        code = _TOO_LARGE
    finally:
        os._exit(code)


def _limit() -> None:
    for kind, limit in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, _SECONDS),
        (resource.RLIMIT_AS, _address_space() + _MEMORY),
    ):
        hard = resource.getrlimit(kind)[1]
        with suppress(ValueError):  # a lower limit is there already
            resource.setrlimit(kind, (limit, hard))


def _address_space() -> int:
    """Bytes that this process has mapped."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()


def _conversations() -> Iterator[tuple[list[dict[str, Any]], bool]]:
    """Conversations in both forms that templates take, and whether the answer is still to come."""
    text = [{"type": "text", "text": "What is it?"}]
    for content in ("What is it?", text, [{"type": "image"}, *text]):
        asked = {"role": "user", "content": content}
        yield [asked], True
        answer = "A kettle." if isinstance(content, str) else [{"type": "text", "text": "A kettle."}]
        yield [asked, {"role": "assistant", "content": answer}], False

"""Replies kept on disk, one line of JSON each, found by the hash of their request."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from safeeraser.endpoint.outcomes import Reply, Usage
from safeeraser.files import append_text
from safeeraser.text import json_text


class ReplyCache:
    """The replies in a file; without a path nothing is kept.

    A line is appended in one write, so several processes may share the file. A line that a kill cut short is passed
    over and asked for again.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._replies = {} if path is None or not path.exists() else _read(path)

    def get(self, key: str) -> Reply | None:
        """The reply to the request with this hash, if it is here."""
        return self._replies.get(key)

    def put(self, key: str, reply: Reply) -> None:
        """Keep a reply; it is on the disk when this returns."""
        if self._path is None:
            return
        usage = None if reply.usage is None else [reply.usage.input_tokens, reply.usage.output_tokens]
        append_text(self._path, json_text([key, reply.text, reply.finish_reason, usage, reply.reasoning]) + "\n")
        self._replies[key] = replace(reply, cached=True)


def _read(path: Path) -> dict[str, Reply]:
    found = {}
    with path.open(encoding="utf-8", errors="replace", newline="\n") as file:
        for line in file:
            try:
                key, text, finish, usage, *reasoning = json.loads(line)
                thought = reasoning[0] if reasoning else None
                counts = [] if usage is None else list(usage)
                texts = all(isinstance(each, str) for each in (key, text, finish, thought or ""))
                if not texts or any(type(each) is not int for each in counts):
                    continue  # no line of ours: it would put words into the model's mouth
                found[key] = Reply(
                    text=text,
                    finish_reason=finish,
                    usage=Usage(*counts) if counts else None,
                    reasoning=thought,
                    cached=True,
                )
            except (TypeError, ValueError, RecursionError):
                continue
    return found

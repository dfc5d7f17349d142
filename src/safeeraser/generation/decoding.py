"""Token ids to text. Marks of reasoning stay in it, special tokens or not; all other special tokens are left out."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from safeeraser import reasoning

_PROMPT_TAIL = 16  # tokens: more than any template writes to begin the reasoning


class Decoder:
    """Decodes what a model says after a prompt."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        tokens = tokenizer.added_tokens_decoder.items()
        self._marks = {id: token.content for id, token in tokens if token.special and reasoning.is_mark(token.content)}

    def __call__(self, prompt: Sequence[int], said: Sequence[int]) -> str:
        """The text, with the mark before it where the prompt itself has begun the reasoning."""
        begun = reasoning.begun(self._tokenizer.decode(prompt[-_PROMPT_TAIL:]))
        parts = groupby(said, key=lambda token: token in self._marks)
        return begun + "".join(
            "".join(self._marks[token] for token in part)
            if marks
            else self._tokenizer.decode(list(part), skip_special_tokens=True)
            for marks, part in parts
        )

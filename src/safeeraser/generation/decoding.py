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

    def __call__(self, prompt: Sequence[int], said: Sequence[int], *, goes_on: bool = False) -> str:
        """The text, with the mark before it where the prompt itself has begun the reasoning.

        Where it `goes_on` with an answer that the prompt has begun, a blank before its first word stays: tokenizers
        of Llama's kind write none at the beginning of a text.
        """
        begun = reasoning.begun(self._tokenizer.decode(prompt[-_PROMPT_TAIL:]))
        if goes_on:
            last, whole = (self._text([*prompt[-1:], *more]) for more in ((), said))
            if whole.startswith(last):
                return begun + whole.removeprefix(last)
        return begun + self._text(said)

    def _text(self, ids: Sequence[int]) -> str:
        parts = groupby(ids, key=lambda token: token in self._marks)
        return "".join(
            "".join(self._marks[token] for token in part)
            if marks
            else self._tokenizer.decode(list(part), skip_special_tokens=True)
            for marks, part in parts
        )

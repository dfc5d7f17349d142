"""Rows -> one padded batch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from safeeraser.errors import UserError, explained
from safeeraser.models.chat import Chat, ChatTokenizer, answer_mask, pad
from safeeraser.models.prepare import prepare
from safeeraser.unlearning.rows import Row, Turn


class Collator:
    """Rows -> one right-padded batch with the rows of all targets below each other, target after target.

    With `packs` the batch has its chats too, so that those about one picture go through the model together.
    """

    def __init__(self, chat: ChatTokenizer, *, packs: bool = False) -> None:
        self._chat = chat
        self._packs = packs

    def __call__(self, rows: list[Row]) -> dict[str, Any]:
        """Make a batch of N = rows x targets chats, padded to T tokens.

        `input_ids`, `attention_mask` and `answer_mask` are [N, T]; `images` has N pictures or None; `targets` are the
        names of the targets; `rivals` [N], where a turn names its rival, the token that this begins with (-1 where it
        names none).
        """
        turns = [row[target] for target in rows[0] for row in rows]
        chats = [self._target(turn) for turn in turns]
        ids, attention = pad(chats, self._chat.pad_id)
        return {
            "input_ids": ids,
            "attention_mask": attention,
            "answer_mask": answer_mask(chats, ids.shape[1]),
            "images": [chat.image for chat in chats],
            "targets": list(rows[0]),
            **({"chats": chats} if self._packs else {}),
            **self._rivals(turns),
        }

    def _target(self, turn: Turn) -> Chat:
        """The conversation to train on. Of an answer that was begun already, only what is said from there on counts.

        Of one that goes on, at least the end of its turn.
        """
        if turn.begun is None:
            return prepare(self._chat, turn.example, turn.answer)
        begun = prepare(self._chat, turn.example, turn.begun)
        if turn.answer == turn.begun:
            return replace(begun, prompt_length=min(begun.words.start + turn.started, begun.words.stop))
        with explained(turn.example.id):
            return self._chat.turned(begun, turn.started, turn.answer)

    def _rivals(self, turns: list[Turn]) -> dict[str, Any]:
        if all(turn.rival is None for turn in turns):
            return {}
        rivals = [turn.rival and self._target(replace(turn, answer=turn.rival)) for turn in turns]
        if any(chat and chat.words.start > chat.prompt_length for chat in rivals):
            # all answers begin with the end of it, in which nothing is decided
            raise UserError("the chat template begins the reasoning: a method with `decide` cannot be trained on it")
        return {"rivals": torch.tensor([chat.ids[chat.prompt_length] if chat else -1 for chat in rivals])}

"""Rows -> one padded batch."""

from __future__ import annotations

from typing import Any

from safeeraser.models.chat import ChatTokenizer, answer_mask, pad
from safeeraser.models.prepare import prepare
from safeeraser.unlearning.rows import Row


class Collator:
    """Rows -> one right-padded batch with the rows of all targets below each other, target after target.

    `images` has each row's picture, or None.
    """

    def __init__(self, chat: ChatTokenizer) -> None:
        self._chat = chat

    def __call__(self, rows: list[Row]) -> dict[str, Any]:
        turns = [row[target] for target in rows[0] for row in rows]
        chats = [prepare(self._chat, turn.example, turn.answer) for turn in turns]
        ids, attention = pad(chats, self._chat.pad_id)
        return {
            "input_ids": ids,
            "attention_mask": attention,
            "answer_mask": answer_mask(chats, ids.shape[1]),
            "images": [chat.image for chat in chats],
            "targets": list(rows[0]),
        }

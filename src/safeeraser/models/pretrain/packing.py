"""Several questions about one picture in one row: the picture's tokens go through the language model once.

Each question and answer sees the picture and itself, not its neighbours, and stands where it would stand alone, so the
log-probabilities are those of separate rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from safeeraser.models.chat import Chat


@dataclass(frozen=True, slots=True)
class Packed:
    """Rows of a batch, right-padded.

    `ids`, `positions` and `answers` (bool: where an answer's token stands) are [batch, time]; `attention`
    [batch, 1, time, time] is added to attention scores: 0 where a token is seen, else the lowest number there is.
    """

    ids: Tensor
    positions: Tensor
    answers: Tensor
    attention: Tensor


def pack(lessons: list[list[Chat]], pad_id: int, image_token: int, dtype: torch.dtype) -> Packed:
    """One row a lesson: the tokens up to the end of its picture, then what each of its chats has after them."""
    rows = [_row(chats, _shared(chats, image_token)) for chats in lessons]
    width = max(len(ids) for ids, _, _, _ in rows)
    ids, positions, owners = (
        torch.tensor([[*row[part], *[fill] * (width - len(row[part]))] for row in rows])
        for part, fill in ((0, pad_id), (1, 0), (2, -1))
    )
    answers = torch.tensor([[*row[3], *[False] * (width - len(row[3]))] for row in rows])
    return Packed(ids, positions, answers, _attention(owners, dtype))


def _shared(chats: list[Chat], image_token: int) -> int:
    """How many tokens all chats of a lesson begin with: up to the last token of the picture, none without one."""
    ids = chats[0].ids
    length = len(ids) - ids[::-1].index(image_token) if image_token in ids else 0
    assert all(chat.ids[:length] == ids[:length] for chat in chats), "the chats of a lesson show one picture"
    return length


def _row(chats: list[Chat], shared: int) -> tuple[list[int], list[int], list[int], list[bool]]:
    """Ids, positions, owners (0: shared, else the number of the chat) and answer mask of one row."""
    ids, positions = list(chats[0].ids[:shared]), list(range(shared))
    owners, answers = [0] * shared, [False] * shared
    for number, chat in enumerate(chats, start=1):
        places = range(shared, len(chat.ids))
        ids += chat.ids[shared:]
        positions += places
        owners += [number] * len(places)
        answers += [place >= chat.prompt_length for place in places]
    return ids, positions, owners, answers


def _attention(owners: Tensor, dtype: torch.dtype) -> Tensor:
    time = torch.arange(owners.shape[1])
    earlier = time[:, None] >= time
    related = (owners[:, :, None] == owners[:, None, :]) | (owners[:, None, :] == 0)
    hidden = torch.finfo(dtype).min
    return torch.where(earlier & related, 0.0, hidden).to(dtype)[:, None]

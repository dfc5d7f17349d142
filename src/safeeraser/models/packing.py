"""Several chats about one picture in one sequence: the picture's tokens go through the language model once.

Each chat sees what all of them begin with and itself, not its neighbours, and stands where it would stand alone, so
that what the model makes of it is what it makes of a row of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
from torch import Tensor

from safeeraser.models.chat import Chat, ChatTokenizer
from safeeraser.models.load import LoadedModel

Item = TypeVar("Item")

FAMILIES = frozenset(("llava", "llava_next", "llava_onevision", "internvl", "idefics3"))
"""Model types for which it is proven (`tests/models/test_families.py`)."""


@dataclass(frozen=True, slots=True)
class Group:
    """Chats, by number, of which the first `shared` tokens are the same: up to the end of their picture, 0 without one.

    `length` is how many tokens they have in all, the shared ones counted once.
    """

    chats: tuple[int, ...]
    shared: int
    length: int


@dataclass(frozen=True, slots=True)
class Sequences:
    """Right-padded sequences for one forward pass.

    `ids`, `positions` and `answers` (bool: where an answer's token stands) are [batch, time]; `attention`
    [batch, 1, time, time], bool, is True where a token (third dimension) sees another (fourth). `images` are the
    pictures whose tokens stand in `ids`, in order. `chats` are the numbers of the chats in them, in order, and `counts`
    how many tokens the answer of each has.
    """

    ids: Tensor
    positions: Tensor
    answers: Tensor
    attention: Tensor
    images: list[Path]
    chats: list[int]
    counts: list[int]


def obstacle(loaded: LoadedModel) -> str | None:
    """Why chats about one picture cannot share its tokens in this model; None where they can."""
    config, processor = loaded.model.config, cast("Any", loaded.processor)
    text = config.get_text_config()
    grid = "mrope_section" in (getattr(text, "rope_parameters", None) or {})
    backwards = processor.return_mm_token_type_ids or "labels" in processor.model_input_names
    attention = text._attn_implementation
    found = {
        "its positions follow the picture's grid (M-RoPE)": grid,
        "its pictures go through cross-attention": "cross_attention_mask" in processor.model_input_names,
        "tokens of its prompts see what comes after them": backwards,
        "its language model attends within a sliding window": getattr(text, "sliding_window", None) is not None,
        f"its attention, {attention}, takes no mask of single tokens": attention not in ("eager", "sdpa"),
        f"it was never tried with models of type {config.model_type}": config.model_type not in FAMILIES,
    }
    return next((reason for reason, there in found.items() if there), None)


def groups(chats: Sequence[Chat], tokenizer: ChatTokenizer) -> list[Group]:
    """The chats that begin with the same tokens up to the end of the same picture, and those without one alone."""
    alike: dict[object, list[int]] = {}
    for number, chat in enumerate(chats):
        begun = chat.ids[: tokenizer.through_picture(chat.ids)]
        alike.setdefault((chat.image, begun) if begun else number, []).append(number)
    found = []
    for numbers in alike.values():
        shared = tokenizer.through_picture(chats[numbers[0]].ids)
        found.append(Group(tuple(numbers), shared, shared + sum(len(chats[each].ids) - shared for each in numbers)))
    return found


def beside(items: Iterable[Item], image: Callable[[Item], Path | None], length: Callable[[Item], int]) -> list[Item]:
    """The items of a picture beside each other, short ones first; pictures by their longest item, and then no picture.

    So batches share tokens of pictures and hold little padding. The same order for the same items.
    """
    of_picture: dict[object, list[Item]] = {}
    for number, item in enumerate(items):
        of_picture.setdefault(image(item) or number, []).append(item)
    found = [sorted(several, key=length) for several in of_picture.values()]
    found.sort(key=lambda several: (image(several[0]) is None, length(several[-1])))
    return [item for several in found for item in several]


def plan(chats: Sequence[Chat], tokenizer: ChatTokenizer) -> list[list[Group]]:
    """The groups of each sequence: chats about one picture together, small groups beside each other.

    Sequences are as long as the longest group, or as that and one more where this takes less time.
    """
    found = sorted(groups(chats, tokenizer), key=lambda group: -group.length)
    longest = found[0].length
    widths = sorted({longest, *(longest + group.length for group in found[1:])})
    return min((_fill(found, width) for width in widths), key=_cost)


def _fill(groups: Sequence[Group], width: int) -> list[list[Group]]:
    """Each group in the first sequence that has room for it."""
    sequences: list[list[Group]] = []
    room: list[int] = []
    for group in groups:
        place = next((at for at, left in enumerate(room) if left >= group.length), len(room))
        if place == len(room):
            sequences.append([])
            room.append(width)
        sequences[place].append(group)
        room[place] -= group.length
    return sequences


def _cost(sequences: Sequence[Sequence[Group]]) -> int:
    """How long a pass takes, in no unit: it grows with the tokens, padding among them, and attention with their square.

    That both weigh the same at two thousand tokens is a guess, between a small model on a CPU and a large one.
    """
    width = max(sum(group.length for group in each) for each in sequences)
    return len(sequences) * width * (2048 + width)


def lay_out(
    chats: Sequence[Chat], sequences: Sequence[Sequence[Group]], pad_id: int, device: torch.device
) -> Sequences:
    """The tensors of these sequences of `plan`."""
    members = [group for each in sequences for group in each]
    numbers = [number for group in members for number in group.chats]
    rows = [_row(chats, each) for each in sequences]
    width = max(len(row) for row in rows)
    padding = (pad_id, 0, False, -1, -1)
    cells = torch.tensor([row + [padding] * (width - len(row)) for row in rows], device=device)
    ids, positions, answers, segments, parents = cells.unbind(dim=2)
    time = torch.arange(width, device=device)
    related = (segments[:, :, None] == segments[:, None, :]) | (parents[:, :, None] == segments[:, None, :])
    return Sequences(
        ids,
        positions,
        answers.bool(),
        (related & (time[:, None] >= time))[:, None],
        [image for group in members if (image := chats[group.chats[0]].image) is not None],
        numbers,
        [len(chats[number].ids) - chats[number].prompt_length for number in numbers],
    )


def _row(chats: Sequence[Chat], groups: Sequence[Group]) -> list[tuple[int, int, bool, int, int]]:
    """Id, position, whether it is an answer's, segment, and the segment it sees besides its own, of each token."""
    row: list[tuple[int, int, bool, int, int]] = []
    segment = 0
    for group in groups:
        parent = segment
        shared = chats[group.chats[0]].ids[: group.shared]
        row += [(token, place, False, parent, parent) for place, token in enumerate(shared)]
        for number in group.chats:
            chat, segment = chats[number], segment + 1
            own = enumerate(chat.ids[group.shared :], start=group.shared)
            row += [(token, place, place >= chat.prompt_length, segment, parent) for place, token in own]
        segment += 1
    return row

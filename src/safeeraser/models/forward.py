"""The one forward pass over given answers: the logits that predict their tokens, and how likely these tokens are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from safeeraser.models.chat import Chat, ChatTokenizer, answer_mask, pad
from safeeraser.models.load import LoadedModel
from safeeraser.models.packing import Sequences, lay_out, obstacle, plan
from safeeraser.models.vision import VisionFeatures

CELLS = 2**25
"""Rows x length^2 of a batch that goes through a model in one piece: 32 rows of 1,024 tokens.

An attention mask has that many cells of four bytes each, so one long question among short ones would cost gigabytes.
"""


@dataclass(frozen=True, slots=True)
class AnswerOutput:
    """What a model makes of the answers of a batch, one entry for each answer token, row after row.

    `logits` [tokens, vocabulary] in float32, from which the token is predicted; `ids` [tokens] which one it is;
    `logprobs` [tokens], in nats: log p(token | everything before it).
    """

    logits: Tensor
    ids: Tensor
    logprobs: Tensor


def answer_output(model: nn.Module, inputs: Mapping[str, Any], ids: Tensor, answers: Tensor) -> AnswerOutput:
    """One forward pass. Only positions that predict an answer token go through the language model's head.

    `inputs` are the keyword inputs of the model's forward for the right-padded batch `ids` [batch, time]; `answers`
    [batch, time], bool, is True where an answer's token stands, never in the first column.
    """
    predicting = answers.roll(-1, dims=1)
    logits = model(**inputs, logits_to_keep=predicting, use_cache=False).logits.float()
    chosen = ids[answers]
    return AnswerOutput(logits, chosen, -nn.functional.cross_entropy(logits, chosen, reduction="none"))


def pieces(lengths: Sequence[int], limit: float = CELLS) -> Iterator[slice]:
    """Cut a batch into runs of rows that lie beside each other, each of at most `limit` rows x longest^2.

    A row too long for that is a piece of its own.

    >>> list(pieces([10, 10, 100, 10], limit=10_000))
    [slice(0, 2, None), slice(2, 3, None), slice(3, 4, None)]
    """
    start, longest = 0, 0
    for place, length in enumerate(lengths):
        longest = max(longest, length)
        if place > start and (place - start + 1) * longest**2 > limit:
            yield slice(start, place)
            start, longest = place, length
    if lengths:
        yield slice(start, len(lengths))


def packed(
    chats: Sequence[Chat], tokenizer: ChatTokenizer, device: torch.device, limit: float = CELLS
) -> Iterator[Sequences]:
    """The chats in sequences that go through a model once for each picture, in pieces as `pieces` cuts them."""
    planned = plan(chats, tokenizer)
    for part in pieces([sum(group.length for group in groups) for groups in planned], limit):
        yield lay_out(chats, planned[part], tokenizer.pad_id, device)


class AnswerScorer:
    """A model ready to say how likely it finds given answers.

    Answers of a batch that are about one picture share its tokens where the model allows it.
    """

    def __init__(self, loaded: LoadedModel) -> None:
        self.chat = ChatTokenizer.of(loaded)
        self._model: Any = loaded.model
        self._vision = VisionFeatures(loaded.model, self.chat, loaded.features)
        self._packs = obstacle(loaded) is None

    @torch.inference_mode()
    def __call__(self, chats: Sequence[Chat]) -> list[AnswerOutput]:
        """Each chat's answer, end of turn included, whatever stands beside it in the batch."""
        if not self._packs:
            return score(self._model, chats, self.chat.pad_id, self._vision.batch)
        found: dict[int, AnswerOutput] = {}
        for part in packed(chats, self.chat, self._model.device):
            output = answer_output(self._model, self._vision.packed(part), part.ids, part.answers)
            found |= zip(part.chats, _split(output, part.counts), strict=True)
        return [found[number] for number in range(len(chats))]


def score(
    model: Any, chats: Sequence[Chat], pad_id: int, inputs: Callable[[Tensor, Tensor, list[Any], Tensor], Any]
) -> list[AnswerOutput]:
    """What a model makes of each chat's answer, in order.

    `inputs` makes the keyword inputs of the model's forward of token ids, attention mask, pictures and answer mask, as
    `VisionFeatures.batch` does.
    """
    found: list[AnswerOutput] = []
    for part in pieces([len(chat.ids) for chat in chats]):
        rows = list(chats[part])
        ids, attention = pad(rows, pad_id)
        answers = answer_mask(rows, ids.shape[1])
        ids, attention, mask = (each.to(model.device) for each in (ids, attention, answers))
        whole = answer_output(model, inputs(ids, attention, [row.image for row in rows], mask), ids, mask)
        found += _split(whole, answers.sum(dim=1).tolist())
    return found


def _split(output: AnswerOutput, counts: Sequence[int]) -> Iterator[AnswerOutput]:
    """The answers one by one, of which each has so many tokens."""
    parts = (each.split(list(counts)) for each in (output.logits, output.ids, output.logprobs))
    return (AnswerOutput(*each) for each in zip(*parts, strict=True))

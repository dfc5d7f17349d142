"""What goes on inside of the model at the last token of a prompt, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from safeeraser.attacks.base import Arena, Target
from safeeraser.attacks.parts import Parts, lacking
from safeeraser.models.chat import ChatTokenizer, pad
from safeeraser.models.load import LoadedModel
from safeeraser.models.vision import VisionFeatures
from safeeraser.records import Example, Stream


@torch.inference_mode()
def last_states(loaded: LoadedModel, examples: Sequence[Example], *, batch_size: int = 16) -> Tensor:
    """Hidden states behind the embeddings and each decoder layer at the prompt's last token, before any answer.

    Float32 [layers + 1, examples, width].
    """
    model: Any = loaded.model
    chat = ChatTokenizer.of(loaded)
    vision = VisionFeatures(loaded.model, chat)
    found = []
    for start in range(0, len(examples), batch_size):
        chats = [chat.prompt(each.question, each.image) for each in examples[start : start + batch_size]]
        ids, attention = pad(chats, chat.pad_id, left=True)
        inputs = vision.batch(ids.to(model.device), attention.to(model.device), [each.image for each in chats])
        states = model(**inputs, output_hidden_states=True, use_cache=False, logits_to_keep=1).hidden_states
        found.append(torch.stack([each[:, -1].float().cpu() for each in states]))
    return torch.cat(found, dim=1)


def unpaired(_: Target, parts: Parts, __: str) -> str | None:
    """Why `pairs` would be nothing to learn from; None where they are something."""
    harmful, harmless = map(len, _sides(parts))
    return lacking(harmful, 2, "harmful questions") or lacking(harmless, 2, "harmless partners of them")


def _sides(parts: Parts) -> list[list[Example]]:
    return [[each for each in parts.attacker if each.stream is stream] for stream in (Stream.FORGET, Stream.DECOUPLED)]


def pairs(arena: Arena, limit: int | None = None) -> tuple[list[Example], list[Example]]:
    """Harmful questions of the attacker's part and those with the same words about harmless pictures, drawn."""
    pools = _sides(arena.parts)
    for examples in pools:
        arena.rng("pairs").shuffle(examples)
    harmful, harmless = (examples[:limit] for examples in pools)
    return harmful, harmless

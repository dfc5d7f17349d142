"""Training the input instead of the weights: what the white-box attacks have in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from safetensors.torch import save_file
from torch import Tensor

from safeeraser.attacks.base import Arena, Target
from safeeraser.attacks.parts import Parts, harmful, lacking
from safeeraser.files import whole_file
from safeeraser.models.chat import ChatTokenizer, answer_mask, pad
from safeeraser.models.forward import answer_output
from safeeraser.models.inputs import forward_inputs
from safeeraser.models.prepare import prepare
from safeeraser.records import Example

BATCH = 4


def too_few(_: Target, parts: Parts, __: str) -> str | None:
    """Why `batches` of all harmful answers cannot be filled; None where they can."""
    return lacking(len(harmful(parts.attacker)), BATCH, "harmful answers")


def batches(arena: Arena, steps: int, pool: Sequence[Example]) -> Iterator[list[Example]]:
    """Questions of the pool, BATCH of them drawn for each step."""
    draw = arena.rng("white-box")
    for _ in range(steps):
        yield draw.sample(pool, BATCH)


def harmful_nll(model: Any, chat: ChatTokenizer, examples: Sequence[Example]) -> Tensor:
    """Mean negative log-likelihood of the tokens of the examples' answers; pictures go through the vision tower."""
    chats = [prepare(chat, each, each.answer) for each in examples]
    ids, attention = pad(chats, chat.pad_id)
    answers = answer_mask(chats, ids.shape[1])
    ids, attention, answers = (each.to(model.device) for each in (ids, attention, answers))
    images = [each.image for each in chats if each.image is not None]
    pictures = {name: _placed(model, value) for name, value in (chat.pixels(images) if images else {}).items()}
    inputs = forward_inputs(chat.processor, ids, attention, pictures, answers)
    return -answer_output(model, inputs, ids, answers).logprobs.mean()


def keep(arena: Arena, name: str, trained: Tensor) -> None:
    """Write what was trained where the user has asked for it, and nowhere else."""
    if arena.keep is not None:
        with whole_file(arena.keep / f"{name}-{arena.target.name}.safetensors") as path:
            save_file({name: trained.detach().contiguous()}, path)


def _placed(model: Any, value: Tensor) -> Tensor:
    return value.to(model.device, model.dtype) if value.is_floating_point() else value.to(model.device)

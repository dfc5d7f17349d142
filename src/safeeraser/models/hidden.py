"""Hidden states at the last token of a prompt, directions among them, and the weights that write along one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from safeeraser.errors import UserError
from safeeraser.models.chat import ChatTokenizer, pad
from safeeraser.models.load import LoadedModel
from safeeraser.models.vision import VisionFeatures
from safeeraser.records import Example

_PARALLEL = 1e-3
"""Of a unit vector, what may be left beside another one and still be rounding."""


@torch.inference_mode()
def last_states(loaded: LoadedModel, examples: Sequence[Example], *, batch_size: int = 16) -> Tensor:
    """Hidden states behind the embeddings and each decoder layer at the prompt's last token, before any answer.

    Float32 [layers + 1, examples, width].
    """
    model: Any = loaded.model
    chat = ChatTokenizer.of(loaded)
    vision = VisionFeatures(loaded.model, chat, loaded.features)
    found = []
    for start in range(0, len(examples), batch_size):
        chats = [chat.prompt(each.question, each.image) for each in examples[start : start + batch_size]]
        ids, attention = pad(chats, chat.pad_id, left=True)
        inputs = vision.batch(ids.to(model.device), attention.to(model.device), [each.image for each in chats])
        states = model(**inputs, output_hidden_states=True, use_cache=False, logits_to_keep=1).hidden_states
        found.append(torch.stack([each[:, -1].float().cpu() for each in states]))
    return torch.cat(found, dim=1)


def direction(refused: Tensor, answered: Tensor) -> Tensor:
    """The unit vector [width] from the mean of hidden states [examples, width] of answered prompts to refused ones."""
    difference = refused.mean(dim=0) - answered.mean(dim=0)
    unit: Tensor = difference / difference.norm().clamp_min(1e-12)
    return unit


def orthogonal(vector: Tensor, other: Tensor, share: float = 1.0) -> Tensor:
    """The unit vector [width] along what is left of a unit vector without a share of its part along another one.

    Raises UserError where they point the same way, so that nothing is left.
    """
    rest = vector - share * (vector @ other) * other
    if rest.norm() < _PARALLEL:
        raise UserError("refusing wrongly and refusing rightly have one direction: nothing is left beside it")
    unit: Tensor = rest / rest.norm()
    return unit


def without(weight: Tensor, away: Tensor, strength: float = 1.0) -> Tensor:
    """The weight [width, in] that writes less along the unit vector [width]: nothing at all with a `strength` of 1."""
    along = away.to(weight.device)
    made: Tensor = weight.float() - strength * along[:, None] * (along @ weight.float())[None]
    return made.to(weight.dtype)


def writers(model: PreTrainedModel) -> dict[str, nn.Linear]:
    """The layers that write into the residual stream, by name: the last linear one of each attention and each MLP.

    Embeddings and projector, which only begin the stream, are not among them. Raises UserError for a model whose
    layers are built otherwise.
    """
    decoder: Any = model.get_decoder()
    prefix = next(name for name, module in model.named_modules() if module is decoder)
    found = {}
    for place, layer in enumerate(decoder.layers):
        for part in ("self_attn", "mlp"):
            inner = dict(getattr(layer, part, nn.Module()).named_modules())
            linears = [name for name, each in inner.items() if isinstance(each, nn.Linear)]
            if not linears:
                raise UserError(f"{type(model).__name__}: layer {place} has no linear layer in {part}")
            found[f"{prefix}.layers.{place}.{part}.{linears[-1]}"] = inner[linears[-1]]
    return found

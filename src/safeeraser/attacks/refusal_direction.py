"""The direction of refusal taken out of the weights (arXiv 2406.11717)."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from functools import partial
from typing import Any

from torch import Tensor, nn

from safeeraser.attacks.base import Arena, Attack, Variant
from safeeraser.attacks.hidden import last_states, pairs, unpaired
from safeeraser.attacks.weights import mapped

_EXAMPLES = 64


def direction(refused: Tensor, answered: Tensor) -> Tensor:
    """The unit vector [width] from the mean of hidden states [examples, width] of answered prompts to refused ones."""
    difference = refused.mean(dim=0) - answered.mean(dim=0)
    unit: Tensor = difference / difference.norm().clamp_min(1e-12)
    return unit


def without(weight: Tensor, away: Tensor) -> Tensor:
    """The weight [width, in] that writes nothing along the direction [width]."""
    along = away.to(weight.device)
    made: Tensor = weight.float() - along[:, None] * (along @ weight.float())[None]
    return made.to(weight.dtype)


def writers(model: Any) -> dict[str, Tensor]:
    """The weights that write into the residual stream: the last linear layer of each attention and each MLP."""
    found = {}
    for place, layer in enumerate(model.get_decoder().layers):
        for part in ("self_attn", "mlp"):
            *_, (name, last) = [
                (name, each) for name, each in getattr(layer, part).named_modules() if isinstance(each, nn.Linear)
            ]
            found[f"{place}.{part}.{name}"] = last.weight.data
    return found


def _carry_out(arena: Arena, sweep: Sequence[str]) -> Generator[Variant, None, None]:
    refused, answered = (last_states(arena.model, each) for each in pairs(arena, _EXAMPLES))
    for point in sweep:
        layer = round(float(point) * (len(refused) - 1))
        away = direction(refused[layer], answered[layer])
        with mapped(writers(arena.model.model), partial(without, away=away)):
            yield Variant(point, arena.unchanged())


REFUSAL_DIRECTION = Attack(
    name="refusal-direction",
    kind="weights",
    about="whether refusing hangs on one direction of the hidden states; without it the model that answers comes out",
    protocol=(
        f"the difference of means of up to {_EXAMPLES} harmful prompts and as many harmless ones with the same words, "
        "of the attacker's part, at the last token, behind the layer at 0.4, 0.6 or 0.8 of the depth; taken out of all "
        "weights that write into the residual stream"
    ),
    source="2406.11717",
    sweep=("0.4", "0.6", "0.8"),
    carry_out=_carry_out,
    obstacle=unpaired,
    trains=True,
)

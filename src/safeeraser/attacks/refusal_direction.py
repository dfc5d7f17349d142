"""The direction of refusal taken out of the weights (arXiv 2406.11717)."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from functools import partial

from safeeraser.attacks.base import Arena, Attack, UnfitError, Variant
from safeeraser.attacks.pairs import pairs, unpaired
from safeeraser.attacks.weights import mapped
from safeeraser.errors import UserError
from safeeraser.models.hidden import direction, last_states, without, writers

_EXAMPLES = 64


def _carry_out(arena: Arena, sweep: Sequence[str]) -> Generator[Variant, None, None]:
    try:
        weights = {name: each.weight.data for name, each in writers(arena.model.model).items()}
    except UserError as error:
        raise UnfitError(str(error)) from error
    refused, answered = (last_states(arena.model, each) for each in pairs(arena, _EXAMPLES))
    for point in sweep:
        layer = round(float(point) * (len(refused) - 1))
        away = direction(refused[layer], answered[layer])
        with mapped(weights, partial(without, away=away)):
            yield Variant(point, arena.unchanged())


REFUSAL_DIRECTION = Attack(
    name="refusal-direction",
    kind="weights",
    about="whether refusing hangs on one direction of the hidden states; without it the model that answers comes out",
    protocol=(
        f"the difference of means of up to {_EXAMPLES} harmful prompts and as many harmless ones with the same words, "
        "of the attacker's part, at the last token, behind the layer at 0.4, 0.6 or 0.8 of the depth; taken out of "
        "what the last linear layer of each attention and each MLP writes (embeddings, projector and biases are left)"
    ),
    source="2406.11717",
    sweep=("0.4", "0.6", "0.8"),
    carry_out=_carry_out,
    obstacle=unpaired,
    trains=True,
)

"""Check weights: finite, and of a plausible size."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch import Tensor

from safeeraser.errors import UserError

LIMIT = 1e6
"""No weight of a network that works is near it; a float16 ends at 65,504."""


def check_weights(source: object, weights: Mapping[str, Tensor] | Iterable[tuple[str, Tensor]]) -> None:
    """Raises UserError, naming where the weights come from, for one that is NaN, infinite or above LIMIT."""
    for name, value in weights.items() if isinstance(weights, Mapping) else weights:
        if value.is_floating_point() and value.numel():
            wide = value.float() if value.itemsize == 1 else value  # torch computes little with eight bits
            largest = wide.detach().abs().amax().item()
            if not largest <= LIMIT:  # NaN is not
                raise UserError(f"{source}: {name} holds {largest:g}, no weight is so large: it is damaged")

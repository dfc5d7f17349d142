"""Streams made of logits and hidden states, as the training step makes them."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from safeeraser.objectives import StreamOutput
from safeeraser.objectives.stream import first

MASK = torch.tensor([[0, 1, 1, 0, 0], [1, 1, 1, 1, 0], [0, 0, 0, 1, 0]]).bool()
TOKENS = int(MASK.sum())
VOCABULARY, WIDTH, LAYER = 6, 4, 7


def stream(
    logits: Tensor,
    ids: Tensor,
    mask: Tensor,
    hidden: Tensor | None = None,
    reference: StreamOutput | None = None,
    *,
    outside: float = 0.0,
) -> StreamOutput:
    """A stream whose log-probabilities are those of its logits [tokens, vocabulary]; `outside` stands off the mask."""
    chosen = logits.log_softmax(-1).gather(1, ids[:, None])[:, 0]
    logprobs = torch.full(mask.shape, outside, dtype=logits.dtype).masked_scatter(mask, chosen)
    return StreamOutput(logprobs, mask, logits, ids, {} if hidden is None else {LAYER: hidden}, reference)


def normal(*shape: int, seed: int, scale: float = 1.0) -> Tensor:
    return scale * torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def drawn(seed: int, mask: Tensor = MASK) -> StreamOutput:
    """A random stream with a random reference."""
    tokens = int(mask.sum())
    ids = torch.randint(VOCABULARY, (tokens,), generator=torch.Generator().manual_seed(seed))
    reference = stream(
        normal(tokens, VOCABULARY, seed=seed + 1), ids, mask, normal(tokens, WIDTH, seed=seed + 2, scale=3.0)
    )
    made = stream(normal(tokens, VOCABULARY, seed=seed + 3), ids, mask, normal(tokens, WIDTH, seed=seed + 4), reference)
    return replace(made, rival=(ids[first(mask)[mask]] + 1) % VOCABULARY)


def likely(*probabilities: list[float], mask: list[list[int]] | None = None) -> StreamOutput:
    """A stream of given token probabilities, one list a row; all of them are the answer's unless a mask is given."""
    values = torch.tensor(probabilities, dtype=torch.float64)
    inside = torch.ones_like(values).bool() if mask is None else torch.tensor(mask).bool()
    return StreamOutput(values.log().requires_grad_(True), inside)

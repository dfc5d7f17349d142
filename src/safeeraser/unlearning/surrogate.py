"""Gradients that were worked out apart, put into a loss."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

Gradients = Mapping[nn.Parameter, Tensor]
"""Trained parameters with a gradient each, in their shape."""


def with_gradients(value: Tensor, gradients: Gradients) -> Tensor:
    """The scalar `value`, whose backward pass adds these gradients to their parameters, and nothing else.

    It is a sum of weights times constants, moved to the right value, so that it goes through a backward pass as any
    loss does, also where processes share gradients or scale the loss.
    """
    linear = torch.stack([(gradient * parameter).sum() for parameter, gradient in gradients.items()]).sum()
    return linear - linear.detach() + value.detach()

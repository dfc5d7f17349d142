"""Sharpness-aware forgetting (arXiv 2502.05374): the gradient where a short step uphill leads, not where weights are.

What is forgotten there is forgotten around the weights too, so that a few steps of further training undo less of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from accelerate.utils import reduce
from torch import Tensor, nn

from safeeraser.unlearning.surrogate import Gradients


class Sharpness:
    """Takes gradients at w + rho g / |g|, for the weights w of these parameters and the gradient g at w.

    `rho` is a length in the space of all parameters together; |g| is one norm over all of them, and g the mean over
    processes, so that all of them go to the same place. The parameters are small next to the model, which stays one.
    """

    def __init__(self, rho: float, parameters: Sequence[nn.Parameter]) -> None:
        self._rho = rho
        self._parameters = list(parameters)

    def __call__(self, loss: Callable[[], Tensor]) -> tuple[Tensor, Gradients]:
        """The scalar `loss` at w, and its gradient at w + rho g / |g| in this process, for every parameter.

        `loss` runs the model; it is called twice, first at w. Afterwards the weights are what they were, bit for bit.
        Nothing is moved where g is zero.
        """
        here = loss()
        steps = self._uphill(self._gradients(here))
        with self._moved(steps):
            return here.detach(), dict(zip(self._parameters, self._gradients(loss()), strict=True))

    def _gradients(self, loss: Tensor) -> list[Tensor]:
        """One for each parameter: zeros where the loss does not reach it, as in a batch without pictures."""
        return list(torch.autograd.grad(loss, self._parameters, allow_unused=True, materialize_grads=True))

    def _uphill(self, gradients: list[Tensor]) -> list[Tensor]:
        """rho g / |g|, or zeros where g is zero."""
        means = [reduce(gradient, reduction="mean") for gradient in gradients]
        norm = torch.nn.utils.get_total_norm(means)
        length = norm if norm > 0 else torch.ones_like(norm)
        return [self._rho * (mean / length.to(mean.device)) for mean in means]

    @contextmanager
    def _moved(self, steps: Sequence[Tensor]) -> Iterator[None]:
        """Within it the parameters are so much further; `data`, so that a graph made at w can still be gone back."""
        before = [parameter.detach().clone() for parameter in self._parameters]
        try:
            for parameter, step in zip(self._parameters, steps, strict=True):
                parameter.data.add_(step)
            yield
        finally:
            for parameter, value in zip(self._parameters, before, strict=True):
                parameter.data.copy_(value)

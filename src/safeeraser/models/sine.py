"""SineProject (arXiv 2511.18444): a projector whose weights move by a sine, so never by more than one."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from peft import PeftModel
from peft.utils import ModulesToSaveWrapper
from torch import Tensor, nn
from torch.nn.utils import parametrize


class _Sine(nn.Module):
    """weight = base + sin(shift): base, any shape, is frozen; shift, of the same shape, is trained and starts at 0."""

    base: Tensor

    def __init__(self, base: Tensor) -> None:
        super().__init__()
        self.register_buffer("base", base.detach().clone(), persistent=False)  # the model has it

    def forward(self, shift: Tensor) -> Tensor:
        return self.base + shift.sin()

    def right_inverse(self, weight: Tensor) -> Tensor:
        """The shift to start from, asked for when the parametrisation is put on: the base itself is 0 away."""
        return torch.zeros_like(weight)


def modulate(adapted: PeftModel) -> None:
    """Train the sine shifts of an adapter's whole modules (`modules_to_save`) in place of their weights.

    Every weight matrix becomes base + sin(shift); biases and norms stay as they are, as in the paper. With the adapter
    switched off the module is the original one.
    """
    for copy in _copies(adapted):
        for module in list(copy.modules()):
            for name, weight in list(module.named_parameters(recurse=False)):
                if weight.dim() > 1:
                    parametrize.register_parametrization(module, name, _Sine(weight))
                else:  # a buffer, for PEFT lets every parameter of the copy be trained again after a reference pass
                    delattr(module, name)
                    module.register_buffer(name, weight.detach())


def materialise(adapted: PeftModel, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The state dict with weights in place of shifts, and the modules undone to match: what PEFT saves is ordinary.

    `weights` is the whole state dict of `adapted`. Done once, at the end of training; nothing for other adapters.
    """
    settled = dict(weights)
    for prefix, module in adapted.named_modules():
        if not parametrize.is_parametrized(module):
            continue
        for name, sine in list(_parametrizations(module)):
            shift = settled.pop(f"{prefix}.parametrizations.{name}.original")
            settled[f"{prefix}.{name}"] = sine(shift.to(sine.base.device))
            parametrize.remove_parametrizations(module, name, leave_parametrized=False)
    return settled


def _parametrizations(module: nn.Module) -> Iterator[tuple[str, _Sine]]:
    parametrizations = module.parametrizations
    assert isinstance(parametrizations, nn.ModuleDict)
    for name, chain in parametrizations.items():
        for sine in chain.children():
            assert isinstance(sine, _Sine)
            yield name, sine


def _copies(adapted: PeftModel) -> list[nn.Module]:
    """The trained copies of whole modules."""
    wrappers = [each for each in adapted.modules() if isinstance(each, ModulesToSaveWrapper)]
    return [copy for wrapper in wrappers for copy in wrapper.modules_to_save.values()]

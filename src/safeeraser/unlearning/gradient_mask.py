"""MMUnlearner's mask (arXiv 2502.11051): forgetting moves only weights that matter more to it than to the rest.

How much a weight matters to some rows is its diagonal Fisher information: the mean over rows of the squared gradient of
the answer's negative log-likelihood, one row at a time, before training.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from peft import PeftModel
from torch import Tensor, nn

from safeeraser.errors import UserError
from safeeraser.models.chat import ChatTokenizer
from safeeraser.models.load import LoadedModel
from safeeraser.models.vision import VisionFeatures
from safeeraser.objectives import Method, Target, Term
from safeeraser.objectives.nll import plain_nll
from safeeraser.records import Example
from safeeraser.unlearning.collate import Collator
from safeeraser.unlearning.rows import TrainingRows
from safeeraser.unlearning.settings import UnlearnSettings
from safeeraser.unlearning.sharding import weights_are_sharded
from safeeraser.unlearning.streams import stream_outputs
from safeeraser.unlearning.surrogate import Gradients, with_gradients

EPS = 1e-20
"""Keeps the ratio finite where a weight means nothing to the rows to preserve; well below any square that matters."""


def salient(forget: Tensor, preserve: Tensor, threshold: float) -> Tensor:
    """Where forget / (preserve + eps) >= threshold, bool, for Fisher informations of the same shape.

    A weight that means nothing to the rows to forget is never salient.
    """
    return forget / (preserve + EPS) >= threshold


class GradientMask:
    """Lets the gradient of some terms through to some weights only; other terms and weights are as without it.

    `masks` says for each trained parameter where, bool, in its shape.
    """

    def __init__(self, masks: Mapping[nn.Parameter, Tensor]) -> None:
        self._masks = masks

    def loss(self, terms: Iterable[tuple[Term, Tensor]]) -> Tensor:
        """The sum of weighted terms, whose gradient is masked for those on harmful questions."""
        harmful, others = _sums(terms)
        if harmful is None:
            return others
        parameters = list(self._masks)
        gradients = torch.autograd.grad(harmful, parameters, retain_graph=True, allow_unused=True)
        reached = {
            parameter: gradient
            for parameter, gradient in zip(parameters, gradients, strict=True)
            if gradient is not None
        }
        return others + with_gradients(harmful, self.masked(reached))

    def masked(self, gradients: Gradients) -> Gradients:
        """These gradients, 0 where they are not let through."""
        return {parameter: gradient * self._masks[parameter] for parameter, gradient in gradients.items()}


def _sums(terms: Iterable[tuple[Term, Tensor]]) -> tuple[Tensor | None, Tensor]:
    """The sum of the weighted terms on harmful questions (None: there are none), and that of the others."""
    harmful: list[Tensor] = []
    others: list[Tensor] = []
    for term, value in terms:
        (harmful if term.harmful else others).append(value)
    nothing = (harmful or others)[0].new_zeros(())
    return (torch.stack(harmful).sum() if harmful else None), torch.stack([nothing, *others]).sum()


def gradient_mask(
    loaded: LoadedModel,
    adapted: PeftModel,
    examples: Sequence[Example],
    method: Method,
    settings: UnlearnSettings,
) -> GradientMask | None:
    """The mask that the settings ask for, worked out from a fresh adapter; None where they ask for none.

    The same for the same seed, wherever a run was stopped. The rows to preserve are retain rows and, where the method
    has them, decoupled rows. Raises UserError where there are none, and where weights are spread over processes.
    """
    if settings.gradient_mask is None:
        return None
    if weights_are_sharded():
        raise UserError("gradient_mask needs whole weights in every process: use DDP, or leave it out")
    chat = ChatTokenizer.of(loaded)
    fisher = _Fisher(adapted, VisionFeatures(loaded.model, chat), Collator(chat))
    targets = (Target.RETAIN, Target.DECOUPLED) if Target.DECOUPLED in method.targets else (Target.RETAIN,)
    length = settings.gradient_mask_rows
    rows = TrainingRows(
        examples, (), (Target.FORGET, *targets), seed=settings.seed, length=length, limit=settings.limit
    )
    forget, preserve = fisher.of(rows, (Target.FORGET,)), fisher.of(rows, targets)
    return GradientMask(
        {
            parameter: salient(one, other, settings.gradient_mask)
            for parameter, one, other in zip(fisher.parameters, forget, preserve, strict=True)
        }
    )


class _Fisher:
    """Diagonal Fisher information of everything that is trained."""

    def __init__(self, adapted: PeftModel, vision: VisionFeatures, collate: Collator) -> None:
        self.parameters = [parameter for parameter in adapted.parameters() if parameter.requires_grad]
        self._model, self._vision, self._collate = adapted, vision, collate

    def of(self, rows: TrainingRows, targets: Sequence[Target]) -> list[Tensor]:
        """Of the answers of these targets, one tensor for each parameter."""
        sums = [torch.zeros_like(parameter) for parameter in self.parameters]
        training = self._model.training
        self._model.eval()  # no dropout: a property of the weights, not of a draw
        try:
            for number in range(len(rows)):
                for target in targets:
                    self._add(sums, {target: rows[number][target]})
        finally:
            self._model.train(training)
        return [each / (len(rows) * len(targets)) for each in sums]

    def _add(self, sums: list[Tensor], row: dict[Target, Any]) -> None:
        device, dtype = self._model.device, self._model.get_input_embeddings().weight.dtype
        batch = {
            name: value.to(device) if isinstance(value, Tensor) else value
            for name, value in self._collate([row]).items()
        }
        with torch.autocast(device.type, dtype, enabled=dtype is not torch.float32):
            (stream,) = stream_outputs(self._model, batch, self._vision).values()
        gradients = torch.autograd.grad(plain_nll(stream).mean(), self.parameters, allow_unused=True)
        for total, gradient in zip(sums, gradients, strict=True):
            if gradient is not None:
                total.add_(gradient.square())

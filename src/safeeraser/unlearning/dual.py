"""Dual ascent: the weights of bounded terms, adjusted once an optimiser step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import torch
from accelerate.utils import reduce
from torch import Tensor
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import ExportableState

from safeeraser.objectives import Bound, Method


class DualAscent(TrainerCallback, ExportableState):
    """The multiplier of each bounded term of a method, in `weights`; all processes agree on it.

    Its state goes into the trainer's checkpoints. On resuming, transformers makes a new callback from it and drops the
    one that was there, so it has to be looked up among the trainer's callbacks every time.
    """

    def __init__(self, bounds: dict[str, dict[str, Any]], weights: dict[str, float]) -> None:
        self.weights = weights
        self._bounds = bounds
        self._losses: dict[str, list[Tensor]] = {}

    @classmethod
    def of(cls, method: Method) -> DualAscent:
        """For the bounded terms of a method, each weight where it starts."""
        bounds = {term.name: term.bound for term in method.terms if term.bound}
        weights = {term.name: term.weight for term in method.terms if term.bound}
        return cls({name: asdict(bound) for name, bound in bounds.items()}, weights)

    def note(self, losses: Mapping[str, Tensor]) -> None:
        """Take in the terms' mean losses over a micro-batch of the step."""
        for name in self.weights:
            self._losses.setdefault(name, []).append(losses[name].detach())

    def on_step_end(
        self,
        args: TrainingArguments,  # noqa: ARG002  transformers passes these by position
        state: TrainerState,  # noqa: ARG002
        control: TrainerControl,  # noqa: ARG002
        **_: Any,
    ) -> None:
        """Adjust every weight by the step's mean loss over micro-batches and processes."""
        for name, losses in self._losses.items():
            mean = reduce(torch.stack(losses).mean(), reduction="mean")
            self.weights[name] = Bound(**self._bounds[name]).raised(self.weights[name], mean.item())
        self._losses.clear()

    def state(self) -> dict[str, Any]:
        """What transformers keeps in trainer_state.json: arguments to make it anew."""
        return {"args": {"bounds": self._bounds, "weights": self.weights}, "attributes": {}}

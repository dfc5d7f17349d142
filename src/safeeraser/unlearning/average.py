# ruff: noqa: ARG002  transformers passes all of them by position
"""The mean of a training's weights over its last steps (SWA, arXiv 1803.05407)."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

_FILE = "average.safetensors"


class WeightAverage(TrainerCallback):
    """Trains as ever, and in the end puts the mean over the last `share` of the steps in the place of the weights.

    The mean so far goes into each checkpoint (`checkpoint` tells its folder by the step), before it is marked as whole.
    """

    def __init__(self, adapted: PeftModel, share: float, checkpoint: Callable[[int], Path]) -> None:
        self._trained = {name: each for name, each in adapted.named_parameters() if each.requires_grad}
        self._mean: dict[str, Tensor] = {}
        self._share, self._checkpoint = share, checkpoint

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Go on with the mean that the checkpoint has."""
        if self._count(state):
            kept = load_file(self._checkpoint(state.global_step) / _FILE)
            self._mean = {name: kept[name].to(each.device) for name, each in self._trained.items()}

    @torch.no_grad()
    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Take a step's weights into the mean."""
        if not (count := self._count(state)):
            return
        for name, weight in self._trained.items():
            mean = self._mean.setdefault(name, torch.zeros_like(weight))
            mean.add_(weight - mean, alpha=1 / count)

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Write the mean beside the weights."""
        if self._mean and state.is_world_process_zero:
            save_file(self._mean, self._checkpoint(state.global_step) / _FILE)

    @torch.no_grad()
    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Leave the mean; the weights as they are where training ended before there was one."""
        for name, mean in self._mean.items():
            self._trained[name].copy_(mean)

    def _count(self, state: TrainerState) -> int:
        """How many steps are in the mean."""
        return max(0, state.global_step - state.max_steps + math.ceil(self._share * state.max_steps))

"""What is measured of a model beside its loss, while it is trained."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from safeeraser.models.load import LoadedModel
from safeeraser.models.processes import on_main

OBJECTIVE = "objective"
"""The measure by which the best adapter is chosen: the higher, the better."""


class Watch(Protocol):
    """Measures a model at every evaluation. `objective` is one of the measures, 0..1."""

    @property
    def identity(self) -> Mapping[str, Any]:
        """What the measures depend on besides the model, in plain values."""

    def measure(self, loaded: LoadedModel, before: Mapping[str, float] | None) -> dict[str, float]:
        """Figures by name; `before` are those from before training, None where this is before."""

    @property
    def told(self) -> Callable[[int, float], None]:
        """Hears of every step with its objective; what it raises ends the training."""


class Watching:
    """A model in training with its watch; `before` is what was measured before the first step."""

    def __init__(self, watch: Watch, loaded: LoadedModel, before: Mapping[str, float] | None) -> None:
        self.watch, self._loaded, self._before = watch, loaded, before

    def __call__(self) -> dict[str, float]:
        """Measure the model as it is, in the main process, without dropout and in the precision of training."""
        model = self._loaded.model
        training, kind = model.training, model.dtype
        model.eval()
        try:
            with torch.autocast(model.device.type, kind, enabled=kind is not torch.float32):
                found = on_main(lambda: self.watch.measure(self._loaded, self._before))
        finally:
            model.train(training)
        self._before = self._before or found
        return found


def points(logged: Iterable[Mapping[str, float]]) -> list[tuple[int, float]]:
    """Step and objective of every measurement after the first step in a loss log."""
    return [(int(each["step"]), each[OBJECTIVE]) for each in logged if OBJECTIVE in each and each["step"]]


class TellWatch(TrainerCallback):
    """Hands on the objective of every evaluation, once it is in the log."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def on_evaluate(
        self,
        args: TrainingArguments,  # noqa: ARG002  transformers passes these by position
        state: TrainerState,
        control: TrainerControl,  # noqa: ARG002
        metrics: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        """The trainer's metrics have a prefix."""
        self._watch.told(state.global_step, (metrics or {})[f"eval_{OBJECTIVE}"])

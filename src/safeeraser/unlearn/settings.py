"""Settings of a training run, checked when they are made."""

from __future__ import annotations

from dataclasses import dataclass

from safeeraser.errors import UserError
from safeeraser.models.lora import Projector
from safeeraser.objectives import Preset

SCHEDULERS = ("cosine", "linear", "constant", "constant_with_warmup")


@dataclass(frozen=True, slots=True, kw_only=True)
class UnlearnSettings:
    """How to train. The length is `steps` optimiser steps, or `epochs` over the forget set: set exactly one.

    `batch_size` counts training rows in one forward pass: a forget example with its retain and decoupled examples is
    one row. An optimiser step sees batch_size x accumulation rows. `warmup_ratio` is a share of all steps,
    `save_steps` the steps between checkpoints (None: none), `limit` how many forget examples are used (None: all),
    `lora_layers` how many of the language model's last layers are trained (None: all).
    `first_token_weight` counts the first answer token that often, on refusal and decoupled rows: see `objectives.nll`.
    Raises UserError naming every setting that is out of range.
    """

    steps: int | None = None
    epochs: float | None = None
    batch_size: int = 8
    accumulation: int = 1
    learning_rate: float = 1e-4
    weight_decay: float = 0.01
    warmup_ratio: float = 0.06
    lr_scheduler: str = "cosine"
    max_grad_norm: float = 1.0
    lora_r: int = 32
    lora_alpha: float = 64.0
    lora_dropout: float = 0.05
    lora_layers: int | None = None
    projector: Projector = "frozen"
    preset: Preset = "clean"
    first_token_weight: float = 1.0
    seed: int = 233
    save_steps: int | None = None
    limit: int | None = None

    def __post_init__(self) -> None:
        problems = [f"{name} must be {rule}, not {getattr(self, name)!r}" for name, rule in self._broken()]
        if (self.steps is None) == (self.epochs is None):
            problems.append("set exactly one of steps and epochs")
        if problems:
            raise UserError("\n".join(problems))

    def total_rows(self, forget: int) -> int:
        """How many training rows the run has, given the number of forget examples: whole optimiser steps only."""
        step = self.batch_size * self.accumulation
        if self.steps is not None:
            return self.steps * step
        return max(1, int(float(self.epochs or 0) * forget) // step) * step

    def _broken(self) -> list[tuple[str, str]]:
        checks: list[tuple[str, bool, str]] = [
            *(
                (name, _optional(getattr(self, name)) >= 1, "at least 1")
                for name in ("steps", "save_steps", "limit", "lora_layers")
            ),
            *((name, getattr(self, name) >= 1, "at least 1") for name in ("batch_size", "accumulation", "lora_r")),
            *((name, getattr(self, name) > 0, "above 0") for name in ("learning_rate", "lora_alpha")),
            *((name, getattr(self, name) >= 0, "0 or more") for name in ("weight_decay", "max_grad_norm", "seed")),
            *((name, 0 <= getattr(self, name) < 1, "in 0..1") for name in ("warmup_ratio", "lora_dropout")),
            ("epochs", _optional(self.epochs) > 0, "above 0"),
            ("first_token_weight", self.first_token_weight > 0, "above 0"),
            ("lr_scheduler", self.lr_scheduler in SCHEDULERS, f"one of {', '.join(SCHEDULERS)}"),
            ("projector", self.projector in ("frozen", "full", "lora"), "one of frozen, full, lora"),
        ]
        return [(name, rule) for name, fine, rule in checks if not fine]


def _optional(value: float | None) -> float:
    return 1.0 if value is None else value

"""Settings of a training run, checked when they are made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import get_args

from safeeraser.errors import UserError
from safeeraser.models.lora import Projector
from safeeraser.objectives import Options, Preset

SCHEDULERS = ("cosine", "linear", "constant", "constant_with_warmup")


@dataclass(frozen=True, slots=True, kw_only=True)
class UnlearnSettings:
    """How to train. The length is `steps` optimiser steps, or `epochs` over the forget set: set exactly one.

    `batch_size` counts training rows in one forward pass: a forget example with its retain and decoupled examples is
    one row. An optimiser step sees batch_size x accumulation rows, whatever the number of processes: they share them,
    see `share`. `warmup_ratio` is a share of all steps, `save_steps` the steps between checkpoints (None: none),
    `limit` how many forget examples are used (None: all), `lora_layers` how many of the language model's last layers
    are trained (None: all). `gradient_checkpointing` computes activations again in the backward pass instead of
    keeping them: less memory, a quarter more time, the same result. `report_to` names trackers that transformers knows.
    `first_token_weight` counts the first answer token that often, on refusal and decoupled rows: see `objectives.nll`.
    `options` are the method's own, and the weights of its terms: see `objectives.Method.bind`, which checks them.

    Stop rules. With `stop_forget_nll` training ends at the first step in which the mean negative log-likelihood of the
    harmful answers is above so many nats a token; without, ascent goes on until the steps are done. With `eval_steps`
    the method's own loss is measured every so many steps on `eval_rows` rows of the selection split, rounded up to
    whole steps' worth; the adapter of the best measurement is the result, and after `patience` measurements in a row
    that are no better (None: never) training ends.

    `gradient_mask` keeps the gradient of the terms on harmful questions to weights with that many times the Fisher
    information on `gradient_mask_rows` harmful rows that they have on as many to preserve: see `gradient_mask`.

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
    options: Options = field(default_factory=dict)
    seed: int = 233
    save_steps: int | None = None
    limit: int | None = None
    gradient_checkpointing: bool = False
    stop_forget_nll: float | None = None
    eval_steps: int | None = None
    eval_rows: int = 64
    patience: int | None = None
    report_to: tuple[str, ...] = ()
    gradient_mask: float | None = None
    gradient_mask_rows: int = 64

    def __post_init__(self) -> None:
        problems = [f"{name} must be {rule}, not {getattr(self, name)!r}" for name, rule in self._broken()]
        if (self.steps is None) == (self.epochs is None):
            problems.append("set exactly one of steps and epochs")
        if self.patience is not None and self.eval_steps is None:
            problems.append("patience counts evaluations: set eval_steps as well")
        if self.eval_steps is not None and self.save_steps not in (None, self.eval_steps):
            problems.append("with eval_steps there is a checkpoint at each evaluation: leave save_steps out")
        if problems:
            raise UserError("\n".join(problems))

    def total_rows(self, forget: int) -> int:
        """How many training rows the run has, given the number of forget examples: whole optimiser steps only."""
        if self.steps is not None:
            return self.steps * self.rows_per_step
        return max(1, int(float(self.epochs or 0) * forget) // self.rows_per_step) * self.rows_per_step

    @property
    def rows_per_step(self) -> int:
        """Training rows that an optimiser step sees, over all processes."""
        return self.batch_size * self.accumulation

    def share(self, processes: int) -> tuple[int, int]:
        """Batch size and accumulation of each process, so that together they see the rows of a step.

        The batch is the largest that divides a process's rows evenly, `batch_size` at most.
        Raises UserError where the rows of a step cannot be shared evenly.
        """
        rows, left = divmod(self.rows_per_step, processes)
        if left:
            raise UserError(
                f"an optimiser step has batch_size {self.batch_size} x accumulation {self.accumulation} = "
                f"{self.rows_per_step} rows, which {processes} processes cannot share evenly"
            )
        batch = max(size for size in range(1, min(self.batch_size, rows) + 1) if rows % size == 0)
        return batch, rows // batch

    def evaluation_rows(self, forget: int) -> int:
        """How many selection rows are measured, given the number of forget examples there: whole steps' worth."""
        return -(-min(self.eval_rows, forget) // self.rows_per_step) * self.rows_per_step

    def _broken(self) -> list[tuple[str, str]]:
        checks: list[tuple[str, bool, str]] = [
            *(
                (name, _optional(getattr(self, name)) >= 1, "at least 1")
                for name in ("steps", "save_steps", "limit", "lora_layers", "eval_steps", "patience")
            ),
            *(
                (name, getattr(self, name) >= 1, "at least 1")
                for name in ("batch_size", "accumulation", "lora_r", "eval_rows", "gradient_mask_rows")
            ),
            *((name, getattr(self, name) > 0, "above 0") for name in ("learning_rate", "lora_alpha")),
            *((name, getattr(self, name) >= 0, "0 or more") for name in ("weight_decay", "max_grad_norm", "seed")),
            *((name, 0 <= getattr(self, name) < 1, "in 0..1") for name in ("warmup_ratio", "lora_dropout")),
            *(
                (name, _optional(getattr(self, name)) > 0, "above 0")
                for name in ("epochs", "stop_forget_nll", "gradient_mask")
            ),
            ("first_token_weight", self.first_token_weight > 0, "above 0"),
            ("lr_scheduler", self.lr_scheduler in SCHEDULERS, f"one of {', '.join(SCHEDULERS)}"),
            ("projector", self.projector in get_args(Projector), f"one of {', '.join(get_args(Projector))}"),
        ]
        return [(name, rule) for name, fine, rule in checks if not fine]


def _optional(value: float | None) -> float:
    return 1.0 if value is None else value

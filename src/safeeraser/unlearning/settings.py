"""The settings of a training run, in a run's configuration, on the command line and from Python."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from safeeraser.errors import UserError
from safeeraser.settings import WAY, Preset, Projector, Seed, Settings, Several, Wanted, problem

LENGTH = ("steps", "epochs")
"""How long a training is: the one or the other."""


class UnlearnSettings(Settings):
    """How to train.

    A training row is a forget example with its retain and decoupled examples. An optimiser step sees batch_size x
    accumulation rows, whatever the number of processes: they share them, see `share`.
    """

    steps: int | None = Field(default=None, ge=1)
    """Optimiser steps; set these or epochs."""
    epochs: float | None = Field(default=None, gt=0)
    """Times that the forget set is gone through; one where steps are not set either."""
    batch_size: int = Field(default=8, ge=1)
    """Training rows in one forward pass."""
    accumulation: int = Field(default=1, ge=1)
    """Forward passes an optimiser step."""
    learning_rate: float = Field(default=1e-4, gt=0)
    """The highest learning rate of AdamW."""
    weight_decay: float = Field(default=0.01, ge=0)
    """Weight decay of AdamW."""
    warmup_ratio: float = Field(default=0.06, ge=0, lt=1)
    """The share of all steps in which the learning rate climbs from 0; a single step does not climb."""
    lr_scheduler: Literal["cosine", "linear", "constant", "constant_with_warmup"] = "cosine"
    """How the learning rate goes on."""
    max_grad_norm: float = Field(default=1.0, ge=0)
    """The norm to which gradients are clipped; 0 leaves them."""
    lora_r: int = Field(default=32, ge=1)
    """Rank of LoRA."""
    lora_alpha: float = Field(default=64.0, gt=0)
    """Alpha of LoRA: its weights are scaled by alpha / r."""
    lora_dropout: float = Field(default=0.05, ge=0, lt=1)
    """Dropout in LoRA."""
    lora_layers: int | None = Field(default=None, ge=1)
    """How many of the language model's last layers are trained; all if not set."""
    projector: Projector = "frozen"
    """How the projector is trained: not, in full, by LoRA, or by the sine of a shift (arXiv 2511.18444)."""
    preset: Preset = "clean"
    """Weights and averaging of the method: clean, or as in the authors' code."""
    first_token_weight: float = Field(default=1.0, gt=0)
    """How often the first answer token counts, on refusal and decoupled rows."""
    options: dict[str, Annotated[float, Field(strict=True)]] = Field(default={})
    """The method's own options and the weights of its terms; `safeeraser methods show NAME` lists them."""
    seed: Seed = 233
    """Seed of rows, weights and dropout; the run's if not set."""
    save_steps: Annotated[int | None, WAY] = Field(default=None, ge=1)
    """Steps between checkpoints; by the clock if not set."""
    save_minutes: Annotated[float, WAY] = Field(default=5.0, gt=0)
    """Minutes between checkpoints, where neither save_steps nor eval_steps is set."""
    limit: int | None = Field(default=None, ge=1)
    """Train on at most so many forget examples."""
    gradient_checkpointing: Annotated[bool, WAY] = False
    """Compute activations again in the backward pass: less memory, a quarter more time, the same result."""
    pack_pictures: bool = False
    """Put questions about one picture into a step together, where its tokens go through the model once."""
    stop_forget_nll: float | None = Field(default=None, gt=0)
    """End at the first step in which the harmful answers' mean NLL is above so many nats a token."""
    eval_steps: int | None = Field(default=None, ge=1)
    """Measure on the selection split every so many steps, and keep the best adapter."""
    eval_rows: int = Field(default=64, ge=1)
    """Selection rows to measure, rounded up to whole steps' worth."""
    eval_questions: int = Field(default=16, ge=0)
    """Selection questions of each part to answer each time; 0: none, and the loss chooses the adapter."""
    objective: Several[Wanted] = ()
    """The smallest of these chooses the adapter, and a sweep's settings: some of rr, sarr, kept, retain, asr. If not
    set, all but asr, or all but rr where a method does not teach refusing."""
    patience: int | None = Field(default=None, ge=1)
    """End after so many measurements in a row that are no better."""
    report_to: Annotated[Several[str], WAY] = ()
    """Trackers that transformers knows, such as tensorboard."""
    gradient_mask: float | None = Field(default=None, gt=0)
    """Train on harmful questions only weights with so many times the Fisher information of those to preserve."""
    gradient_mask_rows: int = Field(default=64, ge=1)
    """Rows from which that information is estimated."""

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.steps is not None and self.epochs is not None:
            raise problem("set steps or epochs, not both")
        if self.patience is not None and self.eval_steps is None:
            raise problem("patience counts evaluations: set eval_steps as well")
        if self.eval_steps is not None and self.save_steps not in (None, self.eval_steps):
            raise problem("eval_steps makes a checkpoint each time: leave save_steps out")
        return self

    @property
    def watched(self) -> bool:
        """Whether answers say which adapter of the training is kept."""
        return self.eval_steps is not None and self.eval_questions > 0

    def given(self) -> dict[str, Any]:
        """The keys that were set, as plain values."""
        return self.model_dump(mode="json", exclude_unset=True)

    def merged(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        """The keys that were set and those of `changes`: its steps replace our epochs, and its epochs our steps.

        Of `options` it replaces those that it names. The result is not checked.
        """
        length = LENGTH if changes.keys() & {*LENGTH} else ()
        ours = {key: value for key, value in self.given().items() if key not in length}
        options = changes.get("options", {})
        both = {"options": {**self.options, **options}} if isinstance(options, Mapping) else {}
        return {**ours, **changes, **both}

    def total_rows(self, forget: int) -> int:
        """How many training rows the run has, given the number of forget examples: whole optimiser steps only."""
        if self.steps is not None:
            return self.steps * self.rows_per_step
        return max(1, int((self.epochs or 1.0) * forget) // self.rows_per_step) * self.rows_per_step

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

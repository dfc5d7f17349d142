"""What happens beside the training itself: the loss log, the stop rule for ascent, marks on whole checkpoints."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import torch
from accelerate.utils import reduce
from transformers import SchedulerType, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from safeeraser.models.processes import processes
from safeeraser.progress import ProgressBar

logger = logging.getLogger(__name__)
FORGET_NLL = "forget_nll"
"""The trainer's log entry for the mean negative log-likelihood of the harmful answers, in nats a token."""
_BETWEEN = ("loss", "learning_rate", "grad_norm", "epoch")
_CLOCK = ("runtime", "samples_per_second", "steps_per_second")  # that transformers adds to an evaluation


class LossLog(TrainerCallback):
    """Hands on an entry for every step and for every evaluation, and moves the progress bar; main process only."""

    def __init__(self, write: Callable[[dict[str, float]], None], bar: ProgressBar) -> None:
        self._write, self._bar = write, bar

    def on_log(
        self,
        args: TrainingArguments,  # noqa: ARG002  transformers passes these by position
        state: TrainerState,
        control: TrainerControl,  # noqa: ARG002
        logs: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        """Take what is of interest from the trainer's log."""
        logs = logs or {}
        if "loss" in logs:
            terms = {name: value for name, value in logs.items() if name not in _BETWEEN}
            rates = {name: logs[name] for name in ("learning_rate", "grad_norm")}
            self._write({"step": state.global_step, "loss": logs["loss"], **terms, **rates})
            self._bar.advance(loss=logs["loss"])
        elif "eval_loss" in logs:
            found = {name.removeprefix("eval_"): value for name, value in logs.items() if name.startswith("eval_")}
            measured = {name: value for name, value in found.items() if name not in ("loss", *_CLOCK)}
            self._write({"step": state.global_step, "selection_loss": logs["eval_loss"], **measured})


def _has_learned(args: TrainingArguments, state: TrainerState) -> bool:
    """Whether the weights have changed: a warm-up's first step has a learning rate of 0."""
    return state.global_step > 1 or not args.warmup_steps or args.lr_scheduler_type == SchedulerType.CONSTANT


class NothingLearned(TrainerCallback):
    """Leaves out the measurement after a step in which nothing was learned: what is not measured is not the best."""

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Of every callback this comes after transformers' own, which asks for it."""
        if not _has_learned(args, state):
            control.should_evaluate = False


class StopForgetNll(TrainerCallback):
    """Ends training at the first step in which the harmful answers are less likely than they have to be.

    Not before anything was learned: the adapter would be empty.
    """

    def __init__(self, limit: float) -> None:
        self._limit = limit

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        """Every process sees the same mean, so all stop at the same step."""
        found = (logs or {}).get(FORGET_NLL, 0.0)
        if found > self._limit and _has_learned(args, state):
            logger.info("step %d: forget NLL %.3f is above %g, training ends", state.global_step, found, self._limit)
            control.should_training_stop = True


class TimedCheckpoints(TrainerCallback):
    """A checkpoint at the first step that ends so many seconds after the last one, or after the start."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._since = time.monotonic()

    def on_step_end(
        self,
        args: TrainingArguments,
        state: TrainerState,  # noqa: ARG002
        control: TrainerControl,
        **_: Any,
    ) -> None:
        """All processes save at the same step: when the clock of one of them says so."""
        due = torch.tensor(float(time.monotonic() - self._since >= self._seconds), device=args.device)
        control.should_save |= bool(reduce(due, reduction="sum") > 0)
        if control.should_save:
            self._since = time.monotonic()


class WholeCheckpoints(TrainerCallback):
    """Marks a checkpoint once all processes have written their parts of it.

    Not one at which training ends early: transformers would train on from it. A run that is stopped right there goes on
    from the one before and ends in the same place again.
    """

    def __init__(self, mark: Callable[[int, int], None]) -> None:
        self._mark = mark

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Wait for the others; the main process marks."""
        processes().wait_for_everyone()
        ends_early = control.should_training_stop and state.global_step < state.max_steps
        if state.is_world_process_zero and not ends_early:
            self._mark(state.global_step, args.world_size)

"""Settings of ours -> arguments of `transformers.Trainer`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from accelerate import DistributedType, PartialState
from transformers import TrainingArguments
from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK, get_available_reporting_integrations

from safeeraser.errors import UserError, unknown
from safeeraser.models.processes import processes
from safeeraser.unlearning.settings import UnlearnSettings
from safeeraser.unlearning.sharding import weights_are_sharded


def arguments(
    settings: UnlearnSettings, checkpoints: Path, device: torch.device, best: str = "loss"
) -> TrainingArguments:
    """How to train with these settings on one of any number of processes; `device` is where the model is.

    Where settings ask for evaluations, the adapter is kept that is `best`: of the lowest loss, or the highest of what
    else is named.

    Raises UserError where the processes cannot share the rows of a step evenly.
    """
    batch, accumulation = settings.share(processes().num_processes)
    made = TrainingArguments(
        output_dir=str(checkpoints.resolve()),
        num_train_epochs=1,  # the rows of all epochs are one long sequence
        per_device_train_batch_size=batch,
        gradient_accumulation_steps=accumulation,
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        warmup_steps=settings.warmup_ratio,
        lr_scheduler_type=settings.lr_scheduler,
        max_grad_norm=settings.max_grad_norm,
        activation_checkpointing=settings.gradient_checkpointing,
        logging_steps=1,
        logging_nan_inf_filter=False,  # a loss that is not a number should be seen
        restore_callback_states_from_checkpoint=True,  # the weights of dual ascent, the count of patience
        remove_unused_columns=False,
        dataloader_pin_memory=False,
        disable_tqdm=True,
        report_to=list(settings.report_to) or "none",
        seed=settings.seed,
        use_cpu=device.type == "cpu",
        ddp_broadcast_buffers=False,  # they are constants, and a process may run the model in more pieces than another
        ddp_find_unused_parameters=settings.projector != "frozen",  # a batch without pictures leaves it out
        **_checkpointing(settings, batch, best),
    )
    made._n_gpu = min(made.n_gpu, 1)  # with more, one process takes a batch for each GPU and wraps the model
    if weights_are_sharded() and device.type == "cpu" and made.world_size > 1:
        PartialState().distributed_type = DistributedType.MULTI_GPU  # without that accelerate does not shard
    return made


def check_trackers(names: Iterable[str]) -> None:
    """Raises UserError for a tracker that transformers does not know, or whose package is not installed."""
    for name in names:
        if name not in INTEGRATION_TO_CALLBACK:
            raise UserError(unknown("tracker in report_to", name, INTEGRATION_TO_CALLBACK))
        if name not in get_available_reporting_integrations():
            raise UserError(f"report_to: the package of the tracker {name} is not installed")


def _checkpointing(settings: UnlearnSettings, batch: int, best: str) -> dict[str, Any]:
    """When to save and, where asked, to evaluate: with evaluations there is a checkpoint at each of them.

    Two are kept, because the newest is not whole yet when the oldest is deleted.
    """
    every = settings.eval_steps or settings.save_steps
    saving = {"save_strategy": "steps" if every else "no", "save_steps": every or 500, "save_total_limit": 2}
    if settings.eval_steps is None:
        return saving
    return {
        **saving,
        "eval_strategy": "steps",
        "eval_steps": settings.eval_steps,
        "per_device_eval_batch_size": batch,
        "prediction_loss_only": True,
        "label_names": ["answer_mask"],  # tells the trainer that a batch has what its loss needs
        "metric_for_best_model": best,
        "greater_is_better": best != "loss",
        "load_best_model_at_end": True,
    }

"""The recipe that the paper's method section and its successors' code describe, written plainly (arXiv 2502.12520).

Batch 1 with accumulation; the sets one after another, each through the whole model, vision tower included; logits at
every position; a second, whole model where a reference is needed; one backward pass over the sum.

With a batch of 8 and gradient checkpointing it is how OpenUnlearning trains at its defaults (locuslab/open-unlearning,
`configs/trainer/finetune.yaml` and `src/trainer/unlearn/grad_diff.py`): forget set and retain set through the model one
after another, logits at every position, a copy of the model for kl. All here train the same LoRA with the same AdamW,
where it trains every weight with a paged one.

Three things are not as they were described, or the losses could not be compared: the rows are those that we train on,
the targets are the answer and its end of turn, and likelihoods and divergences are means over an answer's tokens.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import get_cosine_schedule_with_warmup, set_seed

from bench.train.chats import answer_means, encode, likelihoods, logits
from bench.train.task import KL, Clock, Task, training_rows
from safeeraser.models.load import LoadedModel
from safeeraser.models.lora import attach
from safeeraser.objectives import Target
from safeeraser.records import Example
from safeeraser.unlearning.rows import Row

_TERMS = {
    "po": ((Target.REFUSAL, 1), (Target.RETAIN, 1)),
    "po+pd": ((Target.REFUSAL, 1), (Target.RETAIN, 1), (Target.DECOUPLED, 1)),
    "gd": ((Target.FORGET, -1), (Target.RETAIN, 1)),
    "gd+pd": ((Target.FORGET, -1), (Target.RETAIN, 1), (Target.DECOUPLED, 1)),
    "kl": ((Target.FORGET, -1), (Target.RETAIN, "kl")),
    "kl+pd": ((Target.FORGET, -1), (Target.RETAIN, "kl"), (Target.DECOUPLED, 1)),
}
METHODS = tuple(_TERMS)


def train(task: Task, loaded: LoadedModel, examples: Sequence[Example], refusals: Sequence[str], clock: Clock) -> None:
    """Train on a task's rows."""
    settings = task.settings
    rows = training_rows(task, examples, refusals)
    clock.start()
    original = copy.deepcopy(loaded.model) if task.method in KL else None
    set_seed(settings.seed)
    model = attach(loaded.model, r=settings.lora_r, alpha=settings.lora_alpha, dropout=0.0, projector="full").train()
    if task.checkpointing:
        model.enable_input_require_grads()
        loaded.model.activation_checkpointing_enable()
    trained = [each for each in model.parameters() if each.requires_grad]
    clock.numbers = sum(each.numel() for each in trained)
    optimiser = torch.optim.AdamW(trained, lr=settings.learning_rate, weight_decay=settings.weight_decay)
    schedule = get_cosine_schedule_with_warmup(optimiser, math.ceil(settings.warmup_ratio * task.steps), task.steps)
    for step in range(task.steps):
        total = 0.0
        for first in range(step * task.rows, (step + 1) * task.rows, task.batch):
            batch = [rows[number] for number in range(first, first + task.batch)]
            loss = _loss(model, original, loaded.processor, batch, task.method) / task.rows
            loss.backward()
            total += loss.item()
        nn.utils.clip_grad_norm_(trained, settings.max_grad_norm)
        optimiser.step()
        schedule.step()
        optimiser.zero_grad()
        clock.step(total)


def _loss(model: nn.Module, original: nn.Module | None, processor: Any, rows: Sequence[Row], method: str) -> Tensor:
    """The method's sum over rows and sets, each set going through the model alone."""
    device: torch.device = next(model.parameters()).device
    total = torch.zeros((), device=device)
    for target, kind in _TERMS[method]:
        inputs, labels = encode(processor, [row[target] for row in rows], device)
        now = logits(model, inputs)
        if kind == "kl":
            with torch.no_grad():
                before = logits(original, inputs)  # type: ignore[arg-type]
            total = total + answer_means(_divergences(before, now), labels).sum()
        else:
            total = total + kind * answer_means(likelihoods(now, labels), labels).sum()
    return total


def _divergences(before: Tensor, now: Tensor) -> Tensor:
    """KL(before || now) at every position."""
    return nn.functional.kl_div(now.log_softmax(-1), before.softmax(-1), reduction="none").sum(-1)

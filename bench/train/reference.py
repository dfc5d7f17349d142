"""The recipe that the paper's method section and its successors' code describe, written plainly (arXiv 2502.12520).

Batch 1 with accumulation; the sets one after another, each through the whole model, vision tower included; logits at
every position; a second, whole model where a reference is needed; one backward pass over the sum.

Three things are not as they were described, or the losses could not be compared: the rows are those that we train on,
the targets are the answer and its end of turn, and the divergence is a mean over the answer's tokens.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn
from transformers import get_cosine_schedule_with_warmup, set_seed

from bench.train.task import KL, Task, Trained, now
from safeeraser.models.load import LoadedModel
from safeeraser.models.lora import attach
from safeeraser.objectives import Target, find
from safeeraser.records import Example
from safeeraser.unlearning.rows import Row, TrainingRows, Turn

_TERMS = {
    "po": ((Target.REFUSAL, 1), (Target.RETAIN, 1)),
    "po+pd": ((Target.REFUSAL, 1), (Target.RETAIN, 1), (Target.DECOUPLED, 1)),
    "gd": ((Target.FORGET, -1), (Target.RETAIN, 1)),
    "gd+pd": ((Target.FORGET, -1), (Target.RETAIN, 1), (Target.DECOUPLED, 1)),
    "kl": ((Target.FORGET, -1), (Target.RETAIN, "kl")),
    "kl+pd": ((Target.FORGET, -1), (Target.RETAIN, "kl"), (Target.DECOUPLED, 1)),
}
METHODS = tuple(_TERMS)


def train(task: Task, loaded: LoadedModel, examples: Sequence[Example], refusals: Sequence[str]) -> Trained:
    """Train on a task's rows."""
    moments = [now()]
    settings = task.settings
    rows = TrainingRows(
        examples,
        refusals,
        find(task.method).targets,
        seed=settings.seed,
        length=task.steps * task.rows,
        by_picture=settings.pack_pictures,
    )
    original = copy.deepcopy(loaded.model) if task.method in KL else None
    set_seed(settings.seed)
    model = attach(loaded.model, r=settings.lora_r, alpha=settings.lora_alpha, dropout=0.0, projector="full").train()
    trained = [each for each in model.parameters() if each.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=settings.learning_rate, weight_decay=settings.weight_decay)
    schedule = get_cosine_schedule_with_warmup(optimiser, math.ceil(settings.warmup_ratio * task.steps), task.steps)
    losses = []
    for step in range(task.steps):
        total = 0.0
        for row in (rows[step * task.rows + place] for place in range(task.rows)):
            loss = _loss(model, original, loaded.processor, row, task.method) / task.rows
            loss.backward()
            total += loss.item()
        nn.utils.clip_grad_norm_(trained, settings.max_grad_norm)
        optimiser.step()
        schedule.step()
        optimiser.zero_grad()
        losses.append(total)
        moments.append(now())
    return Trained(losses, moments, sum(each.numel() for each in trained))


def _loss(model: nn.Module, original: nn.Module | None, processor: Any, row: Row, method: str) -> Tensor:
    """The method's sum over the sets, each of which goes through the model alone."""
    total = torch.zeros((), device=next(model.parameters()).device)
    for target, kind in _TERMS[method]:
        inputs, labels = _encode(processor, row[target], model)
        with torch.autocast(total.device.type, torch.bfloat16, enabled=model.dtype is torch.bfloat16):
            outputs = model(**inputs, labels=labels)
        if kind == "kl":
            with torch.no_grad():
                before = original(**inputs).logits  # type: ignore[misc]
            total = total + _divergence(before.float(), outputs.logits.float(), labels)
        else:
            total = total + kind * outputs.loss
    return total


def _divergence(before: Tensor, now: Tensor, labels: Tensor) -> Tensor:
    """KL(before || now) at every position, and of these the mean over those that predict the answer."""
    every = nn.functional.kl_div(now.log_softmax(-1), before.softmax(-1), reduction="none").sum(-1)
    return every[:, :-1][labels[:, 1:] != -100].mean()


def _encode(processor: Any, turn: Turn, model: nn.Module) -> tuple[dict[str, Tensor], Tensor]:
    """Inputs of one conversation, and labels that hide all but the answer and its end of turn."""
    picture = (
        []
        if turn.example.image is None
        else [{"type": "image", "image": Image.open(turn.example.image).convert("RGB")}]
    )
    asked = [{"role": "user", "content": [*picture, {"type": "text", "text": turn.example.question}]}]
    answered = [*asked, {"role": "assistant", "content": [{"type": "text", "text": turn.answer}]}]
    options = {"tokenize": True, "return_dict": True, "return_tensors": "pt"}
    prompt = processor.apply_chat_template(asked, add_generation_prompt=True, **options)["input_ids"].shape[1]
    inputs = dict(processor.apply_chat_template(answered, **options))
    stops = (inputs["input_ids"][0] == processor.tokenizer.eos_token_id).nonzero()
    end = int(stops[-1]) + 1 if len(stops) else inputs["input_ids"].shape[1]
    for name in ("input_ids", "attention_mask"):
        inputs[name] = inputs[name][:, :end]
    labels = inputs["input_ids"].clone()
    labels[:, :prompt] = -100
    device = next(model.parameters()).device
    return {name: value.to(device) for name, value in inputs.items()}, labels.to(device)

"""Training by the SFTTrainer of TRL at its defaults: the same conversations, LoRA, optimiser and schedule.

At its defaults it checkpoints gradients, puts eight conversations through the model at once, whatever they are, and
keeps no logits. It knows no rows: its loss is the mean over all answer tokens of a step, ours a sum over the sets of
means over answers. So only the first step's loss can be compared, and not with ours but with that mean, worked out with
the plain model. It means something for methods that only make answers likelier.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from typing import Any

import torch
from datasets import Dataset, Features, Image, List, Value
from torch import nn
from transformers import TrainerCallback, set_seed

from bench.train.chats import encode, likelihoods, logits, rendered
from bench.train.task import Clock, Task, training_rows
from safeeraser.models.load import LoadedModel
from safeeraser.models.lora import attach
from safeeraser.objectives import find
from safeeraser.records import Example
from safeeraser.unlearning.rows import Turn

METHODS = ("po", "po+pd")


class _Noting(TrainerCallback):
    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        self._clock.start()

    def on_log(self, _arguments: Any, _state: Any, _control: Any, logs: dict[str, float], **_: Any) -> None:
        if "loss" in logs:
            self._clock.step(logs["loss"])


def train(task: Task, loaded: LoadedModel, examples: Sequence[Example], refusals: Sequence[str], clock: Clock) -> None:
    """Train on the conversations of a task's rows."""
    from trl import SFTConfig, SFTTrainer  # noqa: PLC0415  the other recipes need no TRL

    settings = task.settings
    turns = [turn for row in training_rows(task, examples, refusals) for turn in row.values()]
    clock.token_mean = _token_mean(loaded, turns[: len(turns) // task.steps])
    set_seed(settings.seed)
    model = attach(loaded.model, r=settings.lora_r, alpha=settings.lora_alpha, dropout=0.0, projector="full")
    clock.numbers = sum(each.numel() for each in model.parameters() if each.requires_grad)
    with tempfile.TemporaryDirectory() as folder:
        arguments = SFTConfig(
            folder,
            max_steps=task.steps,
            per_device_train_batch_size=task.batch,
            gradient_accumulation_steps=task.rows * len(find(task.method).targets) // task.batch,
            learning_rate=settings.learning_rate,
            weight_decay=settings.weight_decay,
            warmup_steps=settings.warmup_ratio,
            lr_scheduler_type=settings.lr_scheduler,
            bf16=task.dtype == "bfloat16",
            use_cpu=task.device == "cpu",
            train_sampling_strategy="sequential",
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
        )
        SFTTrainer(
            model,
            arguments,
            train_dataset=_dataset(loaded.processor, turns),
            processing_class=loaded.processor,
            callbacks=[_Noting(clock)],
        ).train()


def _dataset(processor: Any, turns: Sequence[Turn]) -> Dataset:
    """Prompts and completions with pictures, as TRL documents them for vision models."""
    rows = [
        {"prompt": prompt, "completion": answer, "images": [str(turn.example.image)] if turn.example.image else []}
        for turn in turns
        for prompt, answer in [rendered(processor, turn)]
    ]
    return Dataset.from_list(
        rows, Features(prompt=Value("string"), completion=Value("string"), images=List(Image(mode="RGB")))
    )


@torch.no_grad()
def _token_mean(loaded: LoadedModel, turns: Sequence[Turn]) -> float:
    """The loss as TRL defines it: the mean over all answer tokens."""
    model: nn.Module = loaded.model
    total, tokens = 0.0, 0
    for turn in turns:
        inputs, labels = encode(loaded.processor, [turn], loaded.model.device)
        total += likelihoods(logits(model, inputs), labels).sum().item()
        tokens += int((labels != -100).sum())
    return total / tokens

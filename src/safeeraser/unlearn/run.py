"""The one training path: examples and an objective -> a PEFT adapter on disk."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from peft.helpers import disable_input_dtype_casting
from transformers import (
    PreTrainedModel,
    PrinterCallback,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
    set_seed,
)

from safeeraser import provenance
from safeeraser.models.chat import ChatTokenizer
from safeeraser.models.load import LoadedModel
from safeeraser.models.lora import attach, detach
from safeeraser.models.vision import VisionFeatures
from safeeraser.objectives import Method, find
from safeeraser.progress import ProgressBar
from safeeraser.records import Example
from safeeraser.unlearn.output import Output
from safeeraser.unlearn.rows import TrainingRows, forget_examples
from safeeraser.unlearn.settings import UnlearnSettings
from safeeraser.unlearn.trainer import Collator, UnlearnTrainer

logger = logging.getLogger(__name__)


def unlearn(
    loaded: LoadedModel,
    examples: Sequence[Example],
    refusals: Sequence[str],
    method: str | Method,
    settings: UnlearnSettings,
    output: Path,
) -> Path:
    """Train an adapter and return its folder, `output`/adapter; `loaded.model` is as before afterwards.

    Only examples of the train split are used. A run that was stopped goes on from its last checkpoint when called
    again with the same arguments, and a finished one is not trained again.
    Raises UserError for an unknown method, for data the method cannot be trained on, and where `output` was made with
    other settings.
    """
    method = find(method, settings.preset) if isinstance(method, str) else method
    forget = forget_examples(examples, settings.limit)
    rows = TrainingRows(
        examples,
        refusals,
        method.targets,
        seed=settings.seed,
        length=settings.total_rows(len(forget)),
        limit=settings.limit,
    )
    folder = Output(output, _inputs(loaded, examples, refusals, method, settings))
    if folder.open():
        logger.warning("%s: finished before with the same settings, used as it is", output)
        return folder.adapter
    set_seed(settings.seed)
    adapted = attach(
        loaded.model,
        r=settings.lora_r,
        alpha=settings.lora_alpha,
        dropout=settings.lora_dropout,
        layers=settings.lora_layers,
        projector=settings.projector,
    )
    try:
        _train(loaded, adapted, rows, method, settings, folder)
    finally:
        detach(adapted)
        loaded.model.eval()
    return folder.adapter


def _train(
    loaded: LoadedModel,
    adapted: PeftModel,
    rows: TrainingRows,
    method: Method,
    settings: UnlearnSettings,
    folder: Output,
) -> None:
    chat = ChatTokenizer.of(loaded)
    trainer = UnlearnTrainer(
        method=method.bind(first_token_weight=settings.first_token_weight),
        vision=VisionFeatures(loaded.model, chat),
        model=adapted,
        args=_arguments(settings, folder, loaded.model.device),
        train_dataset=rows,
        data_collator=Collator(chat),
    )
    trainer.remove_callback(PrinterCallback)
    start = time.monotonic()
    steps = len(rows) // (settings.batch_size * settings.accumulation)
    checkpoint, done = folder.resume()
    with ProgressBar(f"unlearn {method.name}", steps, done=done) as bar, _quick(loaded.model, adapted):
        trainer.add_callback(_Log(trainer, folder, bar, settings.accumulation))
        trainer.train(resume_from_checkpoint=checkpoint)
    folder.finish(adapted, loaded.name)
    seconds = time.monotonic() - start
    trained = steps - done
    folder.write_manifest(
        steps=steps,
        seconds=round(seconds, 1),
        rows_per_second=round(trained * settings.batch_size * settings.accumulation / seconds, 2),
        tokens_per_step=round(trainer.tokens / max(trained, 1)),
        versions=provenance.versions(),
        git=provenance.git_commit(),
    )


@contextmanager
def _quick(model: PreTrainedModel, adapted: PeftModel) -> Iterator[None]:
    """Train without what costs time and changes nothing.

    Autocast gives the adapter's weights the precision of its inputs, so PEFT need not convert every input. On a CPU
    the backward pass of torch's fused attention takes several times as long as that of the plain one.
    """
    attention = model.config._attn_implementation
    try:
        if model.device.type == "cpu":
            model.set_attn_implementation("eager")
        with disable_input_dtype_casting(adapted):
            yield
    finally:
        model.set_attn_implementation(attention)


def _arguments(settings: UnlearnSettings, folder: Output, device: torch.device) -> TrainingArguments:
    return TrainingArguments(
        output_dir=str(folder.checkpoints),
        num_train_epochs=1,  # the rows of all epochs are one long sequence
        per_device_train_batch_size=settings.batch_size,
        gradient_accumulation_steps=settings.accumulation,
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        warmup_steps=settings.warmup_ratio,
        lr_scheduler_type=settings.lr_scheduler,
        max_grad_norm=settings.max_grad_norm,
        logging_steps=1,
        save_strategy="steps" if settings.save_steps else "no",
        save_steps=settings.save_steps or 500,
        save_total_limit=1,
        remove_unused_columns=False,
        dataloader_pin_memory=False,
        disable_tqdm=True,
        report_to="none",
        seed=settings.seed,
        use_cpu=device.type == "cpu",
    )


class _Log(TrainerCallback):
    """Writes one line of loss.jsonl a step and moves the progress bar."""

    def __init__(self, trainer: UnlearnTrainer, folder: Output, bar: ProgressBar, accumulation: int) -> None:
        self._trainer, self._folder, self._bar, self._accumulation = trainer, folder, bar, accumulation

    def on_log(
        self,
        args: TrainingArguments,  # noqa: ARG002  transformers passes these by position
        state: TrainerState,
        control: TrainerControl,  # noqa: ARG002
        logs: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        if logs is None or "loss" not in logs:
            return
        terms = {name: total / self._accumulation for name, total in self._trainer.term_sums.items()}
        self._trainer.term_sums.clear()
        entry = {"step": state.global_step, "loss": logs["loss"], **terms}
        entry |= {"learning_rate": logs["learning_rate"], "grad_norm": logs["grad_norm"]}
        self._folder.log(entry)
        self._bar.advance(loss=logs["loss"])


def _inputs(
    loaded: LoadedModel,
    examples: Sequence[Example],
    refusals: Sequence[str],
    method: Method,
    settings: UnlearnSettings,
) -> dict[str, Any]:
    """All that the adapter depends on, in plain values."""
    data = [[each.id, each.question, each.answer, each.image and each.image.name] for each in examples]
    terms = [
        {"name": term.name, "targets": [str(target) for target in term.targets], "weight": term.weight}
        for term in method.terms
    ]
    return {
        "method": method.name,
        "terms": terms,
        "settings": asdict(settings),
        **loaded.identity,
        "data": provenance.text_hash(json.dumps([data, list(refusals)])),
    }

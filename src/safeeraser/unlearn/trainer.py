"""The training step: rows -> one padded forward -> log-probabilities of the answers -> the method's terms."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import Sampler, SequentialSampler
from transformers import Trainer

from safeeraser.models.chat import Chat, ChatTokenizer, answer_mask, pad
from safeeraser.models.vision import VisionFeatures
from safeeraser.objectives import Method, StreamOutput, Target
from safeeraser.unlearn.rows import Row


class Collator:
    """Rows -> one right-padded batch with the rows of all targets below each other, target after target."""

    def __init__(self, chat: ChatTokenizer) -> None:
        self._chat = chat

    def __call__(self, rows: list[Row]) -> dict[str, Any]:
        turns = [row[target] for target in rows[0] for row in rows]
        chats = [self._chat.answered(turn.example.question, turn.example.image, turn.answer) for turn in turns]
        ids, attention = pad(chats, self._chat.pad_id)
        return {
            "input_ids": ids,
            "attention_mask": attention,
            "answer_mask": answer_mask(chats, ids.shape[1]),
            "images": images(chats),
            "targets": list(rows[0]),
        }


class UnlearnTrainer(Trainer):
    """`transformers.Trainer` with a method's objective as its loss; rows come in their own order."""

    def __init__(self, *, method: Method, vision: VisionFeatures, **options: Any) -> None:
        super().__init__(**options)
        self.loss_is_scaled_for_ga = False  # one mean over the rows of a micro-batch, which are equally many
        self.term_sums: dict[str, float] = {}
        self._method = method
        self._vision = vision
        self.tokens = 0
        self._dtype: torch.dtype = options["model"].get_input_embeddings().weight.dtype

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,  # noqa: ARG002  counts tokens; the mean is over rows
    ) -> Any:
        """The method's weighted sum over its terms, each a mean over rows, in nats."""
        device = inputs["input_ids"].device
        with torch.autocast(device.type, self._dtype, enabled=self._dtype is not torch.float32):
            streams = stream_outputs(model, inputs, self._vision)
        values = {term.name: term(streams) for term in self._method.terms}
        for name, value in values.items():
            self.term_sums[name] = self.term_sums.get(name, 0.0) + value.item()
        self.tokens += int(inputs["attention_mask"].sum())
        loss = torch.stack([term.weight * values[term.name] for term in self._method.terms]).sum()
        return (loss, {}) if return_outputs else loss

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        rows: Any = self.train_dataset if train_dataset is None else train_dataset
        return SequentialSampler(rows)


def stream_outputs(model: nn.Module, batch: dict[str, Any], vision: VisionFeatures) -> dict[Target, StreamOutput]:
    """Log-probabilities of every target's answers, from one forward of the whole batch.

    Only positions that predict an answer token go through the language model's head.
    """
    predicted = batch["answer_mask"]
    predicting = predicted.roll(-1, dims=1)
    logits = model(
        input_ids=batch["input_ids"],
        attention_mask=batch["attention_mask"],
        logits_to_keep=predicting,
        use_cache=False,
        **vision.inputs(batch["images"]),
    ).logits
    chosen = batch["input_ids"][predicted]
    losses = nn.functional.cross_entropy(logits.float(), chosen, reduction="none")
    logprobs = torch.zeros(predicted.shape, dtype=losses.dtype, device=losses.device)
    logprobs = logprobs.masked_scatter(predicted, -losses)
    parts = zip(logprobs.chunk(len(batch["targets"])), predicted.chunk(len(batch["targets"])), strict=True)
    return {target: StreamOutput(*part) for target, part in zip(batch["targets"], parts, strict=True)}


def images(chats: list[Chat]) -> list[Any]:
    """The pictures of a batch, in the order of their rows; rows without one are left out."""
    return [chat.image for chat in chats if chat.image is not None]

"""A conversation as text and picture, for the recipes that take one from the model's own chat template."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from safeeraser.unlearning.rows import Turn


def rendered(processor: Any, turn: Turn) -> tuple[str, str]:
    """The prompt as text, and the answer with its end of turn and nothing behind it."""
    picture = [] if turn.example.image is None else [{"type": "image"}]
    asked = [{"role": "user", "content": [*picture, {"type": "text", "text": turn.example.question}]}]
    answered = [*asked, {"role": "assistant", "content": [{"type": "text", "text": turn.answer}]}]
    prompt: str = processor.apply_chat_template(asked, add_generation_prompt=True)
    whole: str = processor.apply_chat_template(answered)
    text, end, _ = whole.removeprefix(prompt).rpartition(processor.tokenizer.eos_token)
    return prompt, text + end


def pictures(turn: Turn) -> list[Image.Image]:
    """The picture of a conversation, if it has one."""
    return [] if turn.example.image is None else [Image.open(turn.example.image).convert("RGB")]


def encode(processor: Any, turns: Sequence[Turn], device: torch.device) -> tuple[dict[str, Tensor], Tensor]:
    """Inputs of a batch of conversations, and the token to predict at each position, -100 but for those of answers."""
    texts = [rendered(processor, turn) for turn in turns]
    shown = [pictures(turn) for turn in turns]
    inputs = processor(
        images=shown if any(shown) else None,
        text=[prompt + answer for prompt, answer in texts],
        padding=True,
        padding_side="right",
        add_special_tokens=False,
        return_tensors="pt",
    )
    labels = torch.full_like(inputs["input_ids"], -100)
    answers = processor.tokenizer([answer for _, answer in texts], add_special_tokens=False)["input_ids"]
    for row, end, answer in zip(labels, inputs["attention_mask"].sum(1), answers, strict=True):
        row[end - len(answer) - 1 : end - 1] = torch.tensor(answer)
    return dict(inputs.to(device)), labels.to(device)


def logits(model: nn.Module, inputs: dict[str, Tensor]) -> Tensor:
    """Those of every position, in float32, as transformers' own loss takes them."""
    device = inputs["input_ids"].device
    with torch.autocast(device.type, torch.bfloat16, enabled=model.dtype is torch.bfloat16):
        found: Tensor = model(**inputs, use_cache=False).logits
    return found.float()


def likelihoods(logits: Tensor, labels: Tensor) -> Tensor:
    """The negative log-likelihood of each token to predict, in nats; zero elsewhere."""
    every = nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none")
    return every.view_as(labels)


def answer_means(values: Tensor, labels: Tensor) -> Tensor:
    """Of a value for each position, the mean over those that predict each conversation's answer."""
    counted = labels != -100
    return torch.where(counted, values, 0.0).sum(1) / counted.sum(1)

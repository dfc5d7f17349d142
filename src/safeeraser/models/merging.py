"""Put an adapter into a model, or say why it does not belong there: one that fits in part, or changes nothing."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel, get_peft_model_state_dict
from peft.utils import SAFETENSORS_WEIGHTS_NAME
from PIL import Image
from safetensors import safe_open
from torch import Tensor
from transformers import PreTrainedModel

from safeeraser.errors import UserError
from safeeraser.models.lora import PROJECTORS, quiet_peft

_QUESTION = "What is it?"
_SIDE = 64
"""Of the probe's picture, in pixels; the processor makes it as large as the model wants it."""


def merged(model: PreTrainedModel, processor: Any, adapter: Path) -> PreTrainedModel:
    """The model with a PEFT adapter merged into its weights, in place.

    Raises UserError where the adapter's tensors do not fit the model, each and all, and where they change no logits:
    such an adapter would silently be measured as the model without it.
    """
    names = _names(adapter)
    pictured = all(any(part in name for part in PROJECTORS) for name in names)
    before = probe(model, processor, pictured=pictured)
    changed: PreTrainedModel = _put_on(model, adapter, names).merge_and_unload()
    check_changed(adapter, before, probe(changed, processor, pictured=pictured))
    return changed


def check_changed(source: Path, before: Tensor, after: Tensor) -> None:
    """Raises UserError, naming where the weights come from, if logits are what they were."""
    if torch.equal(before, after):
        raise UserError(f"{source}: this adapter changes no logits; it is empty, or made for another model")


@torch.no_grad()
def probe(model: Any, processor: Any, *, pictured: bool) -> Tensor:
    """Logits of a short question [1, time, vocabulary], about a small picture of noise if `pictured`."""
    inputs: dict[str, Any] = {"text": [_QUESTION], "return_tensors": "pt"}
    if pictured:
        noise = torch.randint(256, (_SIDE, _SIDE, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
        inputs |= {"text": [f"{processor.image_token}{_QUESTION}"], "images": [Image.fromarray(noise.numpy())]}
    made = (processor if pictured else processor.tokenizer)(**inputs)
    made = {name: value for name, value in made.items() if name != "labels"}
    floats = {name for name, value in made.items() if value.is_floating_point()}
    moved = {name: each.to(model.device, model.dtype if name in floats else each.dtype) for name, each in made.items()}
    training = model.training
    model.eval()
    mixed = torch.autocast(model.device.type, model.dtype, enabled=model.dtype is not torch.float32)  # as in training
    try:
        with mixed:
            logits: Tensor = model(**moved, use_cache=False).logits
    finally:
        model.train(training)
    return logits


def _names(adapter: Path) -> list[str]:
    path = adapter / SAFETENSORS_WEIGHTS_NAME
    if not path.is_file():
        raise UserError(f"{adapter}: no adapter here ({SAFETENSORS_WEIGHTS_NAME} is missing)")
    with safe_open(path, "pt") as file:
        return list(file.keys())


def _put_on(model: PreTrainedModel, adapter: Path, names: Iterable[str]) -> PeftModel:
    with quiet_peft(), warnings.catch_warnings():
        warnings.filterwarnings("error", message="Found missing adapter keys", category=UserWarning)
        try:
            adapted = PeftModel.from_pretrained(model, str(adapter))
        except (ValueError, RuntimeError, UserWarning) as error:  # how PEFT says that they do not go together
            raise UserError(f"{adapter}: does not fit {type(model).__name__}: {error}") from error
    used, given = len(get_peft_model_state_dict(adapted, save_embedding_layers=False)), len(list(names))
    if used != given:
        raise UserError(f"{adapter}: {given} tensors, of which {type(model).__name__} has a place for {used}")
    return adapted

"""Put an adapter into a model, or say why it does not belong there: one that fits in part, or changes nothing."""

from __future__ import annotations

import json
import os
import re
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel, get_peft_model_state_dict
from peft.config import PromptLearningConfig
from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING
from peft.utils import CONFIG_NAME, SAFETENSORS_WEIGHTS_NAME, WEIGHTS_NAME
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor
from transformers import PreTrainedModel

from safeeraser import provenance
from safeeraser.errors import UserError, explained, unknown
from safeeraser.files import check_fetched, write_json
from safeeraser.models.lora import PROJECTORS, quiet_peft
from safeeraser.models.numbers import check_weights
from safeeraser.text import quoted

BASE = "base.json"
_COMPARED = 256  # logits of the base model that are noted with an adapter
_NEAR = 0.2
"""Of their spread, by which the logits of one model in another precision may differ; another model's differ by 1."""
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_QUESTION = "What is it?"
_SIDE = 64
"""Of the probe's picture, in pixels; the processor makes it as large as the model wants it."""


def merged(model: PreTrainedModel, processor: Any, adapter: Path, name: str = "") -> PreTrainedModel:
    """The model with a PEFT adapter merged into its weights, in place.

    `name` is what the model was asked for by. Raises UserError where the adapter's tensors do not fit the model, each
    and all, where it was made for another one, and where it changes no logits: such an adapter would silently be
    measured as the model without it.
    """
    names = check_adapter(adapter)
    check_base(adapter, model, processor, name)
    pictured = all(any(part in name for part in PROJECTORS) for name in names)
    before = probe(model, processor, pictured=pictured)
    changed: PreTrainedModel = _put_on(model, adapter, names).merge_and_unload()
    check_changed(adapter, before, probe(changed, processor, pictured=pictured))
    return changed


def note_base(adapter: Path, logits: Sequence[float]) -> None:
    """Write into an adapter's folder by what its base model is known again (`known_by`)."""
    write_json(adapter / BASE, {"logits": list(logits)})


def check_base(adapter: Path, model: Any, processor: Any, name: str) -> None:
    """Raises UserError where an adapter was made for another model, though the shapes are the same.

    Ours note some logits of their base model. Of others the configuration names it, which tells where both names are
    folders here, or both are of the hub.
    """
    noted = adapter / BASE
    if noted.is_file():
        with explained(noted):
            then = torch.tensor(json.loads(noted.read_text(encoding="utf-8"))["logits"])
        now = torch.tensor(known_by(model, processor))
        if then.shape != now.shape or not (now - then).norm() <= _NEAR * (then - then.mean()).norm():
            raise UserError(f"{adapter}: made for another base model than {name or 'this one'}: their logits differ")
        return
    base = json.loads((adapter / CONFIG_NAME).read_text(encoding="utf-8")).get("base_model_name_or_path") or name
    folders = os.path.isdir(base) and os.path.isdir(name)  # noqa: PTH112 - no error for what can be no path
    if (_weights_of(base) != _weights_of(name)) if folders else (base != name and _on_hub(base) and _on_hub(name)):
        raise UserError(
            f"{adapter}: made for {base}, not for {name}; if they are the same, say so in {CONFIG_NAME} "
            "(base_model_name_or_path)"
        )


def known_by(model: Any, processor: Any) -> list[float]:
    """Some logits of a model without an adapter, by which it is told from others of the same shapes."""
    return [round(value, 3) for value in probe(model, processor, pictured=False)[0, -1, :_COMPARED].float().tolist()]


def _on_hub(name: str) -> bool:
    return HUB_ID.fullmatch(name) is not None and not os.path.exists(name)  # noqa: PTH110 - likewise


def _weights_of(folder: str) -> list[str]:
    return [provenance.file_hash(file) for file in sorted(Path(folder).glob("*.safetensors"))]


def check_changed(source: Path, before: Tensor, after: Tensor) -> None:
    """Raises UserError, naming where the weights come from, if logits are what they were, or not numbers."""
    if not after.isfinite().all():
        raise UserError(f"{source}: with this adapter the model's logits are not numbers (NaN or infinite)")
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


def check_adapter(adapter: Path) -> list[str]:
    """The names of an adapter's tensors.

    Raises UserError for a folder without an adapter, for a damaged one, and for a kind that changes no weights.
    """
    config, path = adapter / CONFIG_NAME, adapter / SAFETENSORS_WEIGHTS_NAME
    if not path.is_file() and (adapter / WEIGHTS_NAME).is_file():
        raise UserError(
            f"{adapter / WEIGHTS_NAME}: a pickle, which can run code when it is read, so it is not; save the adapter "
            f"again as {SAFETENSORS_WEIGHTS_NAME}"
        )
    for file in (config, path):
        if not file.is_file():
            below = next(iter(sorted(adapter.glob(f"*/{CONFIG_NAME}"))), None)
            hint = f"; did you mean {below.parent}?" if below else ""
            raise UserError(f"{adapter}: no adapter here ({file.name} is missing){hint}")
        check_fetched(file)
    _check_config(config)
    with explained(path):
        weights = load_file(path)
    check_weights(path, weights)
    return list(weights)


def _check_config(path: Path) -> None:
    """Raises UserError where a PEFT configuration is damaged, or of a kind that does not change weights."""
    with explained(path):
        config = json.loads(path.read_text(encoding="utf-8"))
    kind = config.get("peft_type") if isinstance(config, dict) else None
    if kind is None:
        raise UserError(f"{path}: names no peft_type: not an adapter of PEFT, or a damaged one")
    base = config.get("base_model_name_or_path")
    if not isinstance(base, str | None):
        raise UserError(f"{path}: base_model_name_or_path: expected a text, found {quoted(base)}")
    kinds = {each.value: config_class for each, config_class in PEFT_TYPE_TO_CONFIG_MAPPING.items()}
    known = kinds.get(kind) if isinstance(kind, str) else None
    if known is None:
        raise UserError(f"{path}: {unknown('peft_type', kind, kinds)}")
    if issubclass(known, PromptLearningConfig):
        raise UserError(f"{path}: {kind} adds tokens to the prompt and changes no weights; LoRA and its like are taken")


def _put_on(model: PreTrainedModel, adapter: Path, names: Iterable[str]) -> PeftModel:
    with quiet_peft(), warnings.catch_warnings(), explained(f"{adapter}: does not fit {type(model).__name__}"):
        warnings.filterwarnings("error", message="Found missing adapter keys", category=UserWarning)
        adapted = PeftModel.from_pretrained(model, str(adapter))
    check_places(adapter, adapted, names)
    return adapted


def check_places(adapter: Path, adapted: PeftModel, names: Iterable[str], number: str = "default") -> None:
    """Raises UserError where a tensor of an adapter has no place in the model that it is on, as `number`.

    PEFT passes over such tensors, and what is left of the adapter would silently be measured as the whole.
    """
    own = get_peft_model_state_dict(adapted, adapter_name=number, save_embedding_layers=False)
    # Embedding layers, which PEFT saves beside LoRA, are the model's own; if trained whole, they are saved twice.
    places = {*own, *(name.replace(f".{number}.", ".") for name in adapted.state_dict())}
    strangers = [name for name in names if name not in places]
    if strangers:
        kind = type(adapted.get_base_model()).__name__
        raise UserError(f"{adapter}: {len(strangers)} tensors have no place in {kind}, such as {strangers[0]}")

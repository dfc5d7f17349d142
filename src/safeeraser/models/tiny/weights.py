"""Put weights into models: pretrained ones read from elsewhere, and the trained ones that come with this package."""

import hashlib
import json
from pathlib import Path
from typing import Any, TypeVar

import torch
from peft import PeftModel, get_peft_model_state_dict
from safetensors.torch import load_file
from torch import Tensor
from transformers import LlavaForConditionalGeneration, PreTrainedConfig, PreTrainedModel

from safeeraser.errors import UserError
from safeeraser.files import write_json
from safeeraser.models.lora import quiet_peft

MANIFEST = "manifest.json"

Model = TypeVar("Model", bound=PreTrainedModel)


class WeightsError(UserError):
    """Weights are missing, damaged or do not fit; the message says which."""


def pretrained(model_class: type[Model], config: PreTrainedConfig, weights: dict[str, Tensor]) -> Model:
    """Return an fp32 model in evaluation mode that holds exactly `weights`, named as in released checkpoints.

    Raises WeightsError if a parameter gets none (tied ones aside) or a weight has no place.
    """
    loaded: Any = model_class.from_pretrained(
        None, config=config, state_dict=weights, dtype=torch.float32, output_loading_info=True
    )
    model: Model = loaded[0]
    info = loaded[1]
    wrong = sorted([*info["missing_keys"], *info["unexpected_keys"]])
    if wrong:
        raise WeightsError(f"{model_class.__name__}: weights missing or without a place: {', '.join(wrong)}")
    model.config.name_or_path = ""  # it came from no checkpoint that could be named
    return model


def seal(folder: Path, **facts: Any) -> Path:
    """Write the manifest of a weights folder: `facts` about it and the sha256 of its files. Return its path."""
    manifest = folder / MANIFEST
    write_json(manifest, {**facts, "files": _hashes(folder)})
    return manifest


def apply(model: LlavaForConditionalGeneration, folder: Path) -> LlavaForConditionalGeneration:
    """Return `model` with the projector of `folder` and its LoRA adapter merged.

    The folder holds `projector.safetensors` (keys of LLaVA's projector), `adapter/` (a PEFT adapter of the whole
    model) and the manifest. Raises WeightsError if a file is not the one in the manifest or does not fit the model.
    """
    _verify(folder)
    model.model.multi_modal_projector.load_state_dict(load_file(folder / "projector.safetensors"))
    with quiet_peft():
        adapted = PeftModel.from_pretrained(model, str(folder / "adapter"))
    stored = load_file(folder / "adapter" / "adapter_model.safetensors")
    # peft only warns here, and would merge freshly initialised matrices, that is: change nothing
    if stored.keys() != get_peft_model_state_dict(adapted).keys():
        raise WeightsError(f"{folder / 'adapter'} is not an adapter of this model: its weights have other names")
    merged: LlavaForConditionalGeneration = adapted.merge_and_unload()
    return merged


def _verify(folder: Path) -> None:
    manifest = folder / MANIFEST
    if not manifest.is_file():
        raise WeightsError(f"{folder} has no trained weights of `tiny` ({MANIFEST} is missing)")
    expected, found = json.loads(manifest.read_text(encoding="utf-8"))["files"], _hashes(folder)
    wrong = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
    if wrong:
        raise WeightsError(f"{folder}: not as in {MANIFEST}, reinstall safeeraser: {', '.join(wrong)}")


def _hashes(folder: Path) -> dict[str, str]:
    files = sorted(file for file in folder.rglob("*") if file.suffix in {".safetensors", ".json"})
    return {
        file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in files
        if file != folder / MANIFEST
    }

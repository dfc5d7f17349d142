"""Take one direction out of what a model with a LoRA adapter writes: a rank-1 update of the adapter, no training.

A linear layer of weight W (base and LoRA together, [width, in]) that writes along the unit vector w [width] becomes
(I - strength w w^T) W = W + (-strength w) (w^T W): one more row of A and one more column of B in each such layer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from shutil import copyfile
from typing import Any

import torch
from peft.utils import CONFIG_NAME, SAFETENSORS_WEIGHTS_NAME
from peft.utils.other import get_pattern_key
from safetensors.torch import load_file, save_file
from torch import Tensor

from safeeraser.errors import UserError
from safeeraser.files import require_new, whole_folder, write_json
from safeeraser.models.adapters.card import write_card
from safeeraser.models.hidden import writers
from safeeraser.models.load import LoadedModel
from safeeraser.models.merging import BASE, check_adapter

MANIFEST = "manifest.json"
_PREFIX = "base_model.model."
_OTHERWISE = ("use_dora", "lora_bias", "target_parameters", "layer_replication")
"""Settings of LoRA with which a layer is more than W + scale B A."""
_BY_LIST = dict.fromkeys(("exclude_modules", "layers_to_transform", "layers_pattern"))
"""Settings of LoRA that say which layers it is on; afterwards a list of their names does."""

Tensors = dict[str, Tensor]


def check_plain_lora(adapter: Path) -> dict[str, Any]:
    """The configuration of an adapter. Raises UserError where it is not LoRA whose update is scale B A alone."""
    names = check_adapter(adapter)
    config: dict[str, Any] = json.loads((adapter / CONFIG_NAME).read_text(encoding="utf-8"))
    if config["peft_type"] != "LORA":
        raise UserError(f"{adapter}: {config['peft_type']} has no room for a direction; LoRA has")
    if odd := next((name for name in _OTHERWISE if config.get(name)), None):
        raise UserError(f"{adapter}: LoRA with {odd} has no room for a direction; plain LoRA has")
    if any(".lora_embedding_" in name for name in names):
        raise UserError(f"{adapter}: LoRA on an embedding has no room for a direction; LoRA on linear layers has")
    return config


def write_ablated(
    loaded: LoadedModel, away: Tensor, strength: float, output: Path, made: Mapping[str, Any], facts: Mapping[str, Any]
) -> Path:
    """Write the adapter of a model, the direction `away` [width] taken out of it, to a new folder, and return it.

    `loaded` is the model with its adapter merged. `made` is the manifest: how it came about; `facts` are the card's.
    What is not LoRA on a writing layer, such as a projector trained whole, stays as it is.
    Raises UserError where there is something in `output`, and for an adapter that has no room for it.
    """
    require_new(output)
    if loaded.adapter is None:
        raise UserError(f"model {loaded.name}: no adapter is merged into it, from which another could be made")
    config = check_plain_lora(loaded.adapter)
    read = {name: away @ each.weight.data.float().cpu() for name, each in writers(loaded.model).items()}
    tensors, config = ablated(load_file(loaded.adapter / SAFETENSORS_WEIGHTS_NAME), config, read, away, strength)
    with whole_folder(output) as scratch:
        save_file(tensors, scratch / SAFETENSORS_WEIGHTS_NAME, metadata={"format": "pt"})
        write_json(scratch / CONFIG_NAME, config)
        write_json(scratch / MANIFEST, made)
        if (loaded.adapter / BASE).is_file():  # its base model is the same
            copyfile(loaded.adapter / BASE, scratch / BASE)
        write_card(scratch, facts)
    return output


def ablated(
    tensors: Tensors, config: Mapping[str, Any], read: Mapping[str, Tensor], away: Tensor, strength: float
) -> tuple[Tensors, dict[str, Any]]:
    """An adapter's tensors and configuration with the direction `away` [width] taken out of some layers.

    `read` says of each of them what it is that it writes along the direction: w^T W [in], which is little beside W.
    Every layer gets the rank and alpha of its own that keep its scale: PEFT takes alpha / rank.
    """
    made, ranks, alphas = dict(tensors), {}, {}
    layers = {name.removeprefix(_PREFIX).partition(".lora_")[0] for name in tensors if ".lora_" in name}
    for layer in sorted({*layers, *read}):
        scale = _scale(config, layer, tensors)
        if layer in read:
            _extend(made, f"{_PREFIX}{layer}", away, read[layer], -strength / scale)
        ranks[layer] = len(made[f"{_PREFIX}{layer}.lora_A.weight"])
        alphas[layer] = scale * ranks[layer]
    own = {"target_modules": sorted(ranks), "rank_pattern": ranks, "alpha_pattern": alphas, "use_rslora": False}
    return made, {**config, **_BY_LIST, **own}


def _extend(tensors: Tensors, layer: str, out: Tensor, into: Tensor, factor: float) -> None:
    """Add `factor` out into^T ([width], [in]) to B A of a layer, which may have none yet."""
    for side, vector, dim in (("A", into[None], 0), ("B", factor * out[:, None], 1)):
        name = f"{layer}.lora_{side}.weight"
        there = [tensors[name].float()] if name in tensors else []
        tensors[name] = torch.cat([*there, vector], dim=dim).contiguous()


def _scale(config: Mapping[str, Any], layer: str, tensors: Mapping[str, Tensor]) -> float:
    """What PEFT multiplies B A of a layer with; 1 for a layer that has none yet."""
    there = tensors.get(f"{_PREFIX}{layer}.lora_A.weight")
    if there is None:
        return 1.0
    patterns: dict[str, float] = config.get("alpha_pattern") or {}
    alpha = patterns.get(get_pattern_key(list(patterns), layer), float(config["lora_alpha"]))
    return alpha / (len(there) ** 0.5 if config.get("use_rslora") else len(there))

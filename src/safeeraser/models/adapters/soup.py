"""A soup of adapters: one whose change of each weight is the mean of theirs (arXiv 2203.05482)."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from peft import LoraConfig
from peft.utils import SAFETENSORS_WEIGHTS_NAME
from safetensors.torch import load_file, save_file
from torch import Tensor

from safeeraser.models.merging import BASE


def write_soup(adapters: Sequence[Path], folder: Path) -> None:
    """Write the mean of LoRA adapters of one model, all with the same settings, into a folder that is there.

    It is exact: their ranks stand side by side, so the soup's rank is the sum of theirs. Modules that were trained
    whole, such as a projector, are averaged.
    """
    members = [load_file(adapter / SAFETENSORS_WEIGHTS_NAME) for adapter in adapters]
    save_file({name: _mean(name, members) for name in members[0]}, folder / SAFETENSORS_WEIGHTS_NAME)
    config = LoraConfig.from_pretrained(str(adapters[0]))
    config.r, config.lora_alpha = config.r * len(members), config.lora_alpha * len(members)  # the same scale
    config.save_pretrained(str(folder))
    shutil.copy(adapters[0] / BASE, folder / BASE)


def _mean(name: str, members: Sequence[Mapping[str, Tensor]]) -> Tensor:
    weights = [member[name] for member in members]
    if ".lora_A." in name:
        return torch.cat(weights)
    if ".lora_B." in name:
        return torch.cat(weights, dim=1) / len(weights)
    return torch.stack(weights).mean(dim=0)

"""Both stages, and the folder of weights they end in."""

from __future__ import annotations

import time
from pathlib import Path

import torch
from peft import PeftModel
from safetensors.torch import save_file

from safeeraser import provenance
from safeeraser.errors import UserError
from safeeraser.folders import whole_folder
from safeeraser.models.embedded import base
from safeeraser.models.embedded.weights import seal
from safeeraser.models.load import load
from safeeraser.pretrain.align import align, projector_of
from safeeraser.pretrain.instruct import instruct

ALIGN_STEPS = 1500
ALIGN_PICTURES = 100
INSTRUCT_STEPS = 540


def pretrain(
    output: Path,
    *,
    align_steps: int = ALIGN_STEPS,
    pictures: int = ALIGN_PICTURES,
    steps: int = INSTRUCT_STEPS,
    seed: int = 2,
) -> Path:
    """Train the embedded model from its pretrained parts and write projector, adapter and manifest into `output`.

    Takes about twenty minutes on two cores with bfloat16. Raises UserError where `output` exists.
    """
    if output.exists():
        raise UserError(f"{output} exists; name a new folder")
    start = time.monotonic()
    torch.manual_seed(seed)
    loaded = load(str(base()), device="cpu")
    aligned = align(loaded.model, loaded.processor, steps=align_steps, count=pictures)
    adapted = instruct(loaded, steps=steps, seed=seed)
    _write(adapted, output, seconds=round(time.monotonic() - start), aligned=aligned, seed=seed, steps=steps)
    return output


def _write(adapted: PeftModel, output: Path, **facts: object) -> None:
    """Write the folder whole or not at all. The adapter is kept in bfloat16, which the package can carry."""
    projector = projector_of(adapted.get_base_model()).state_dict()
    adapted.peft_config["default"].base_model_name_or_path = ""  # a path of this machine
    with whole_folder(output) as scratch:
        save_file(
            {name: tensor.float().contiguous() for name, tensor in projector.items()},
            scratch / "projector.safetensors",
        )
        adapted.to(torch.bfloat16).save_pretrained(str(scratch / "adapter"))
        (scratch / "adapter" / "README.md").unlink(missing_ok=True)
        seal(scratch, **facts, versions=provenance.versions())

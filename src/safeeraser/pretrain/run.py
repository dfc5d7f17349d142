"""Both stages, and the folder of weights they end in."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
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
from safeeraser.pretrain.instruct import Round, instruct

ALIGN_STEPS = 1500
ALIGN_PICTURES = 100
ROUNDS = (
    Round(steps=540, batch_size=12, visual=2, instructions=2, lora_rate=8e-4, projector_rate=3e-4, seed=2),
    Round(steps=400, batch_size=16, visual=1, instructions=1, lora_rate=6e-4, projector_rate=2e-4, seed=3),
    Round(
        steps=600,
        batch_size=16,
        visual=1,
        instructions=1,
        lora_rate=5e-4,
        projector_rate=2e-4,
        seed=4,
        shares=(5, 1, 1),
    ),
)
SEED = 2  # of whatever torch draws itself


def pretrain(
    output: Path,
    *,
    align_steps: int = ALIGN_STEPS,
    pictures: int = ALIGN_PICTURES,
    rounds: Sequence[Round] = ROUNDS,
) -> Path:
    """Train the embedded model from its pretrained parts and write projector, adapter and manifest into `output`.

    Takes about an hour on two cores with bfloat16. Raises UserError where `output` exists.
    """
    if output.exists():
        raise UserError(f"{output} exists; name a new folder")
    start = time.monotonic()
    torch.manual_seed(SEED)
    loaded = load(str(base()), device="cpu")
    aligned = align(loaded.model, loaded.processor, steps=align_steps, count=pictures)
    adapted = instruct(loaded, rounds)
    _write(
        adapted,
        output,
        seconds=round(time.monotonic() - start),
        aligned=aligned,
        rounds=[asdict(each) for each in rounds],
    )
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

"""Both stages, and the folder of weights they end in."""

from __future__ import annotations

import time
from pathlib import Path

import torch
from peft import PeftModel
from safetensors.torch import save_file

from safeeraser import provenance
from safeeraser.files import require_new, whole_folder
from safeeraser.models.load import load
from safeeraser.models.lora import language_targets, linear_targets, wrap
from safeeraser.models.pretrain.align import align, projector_of
from safeeraser.models.pretrain.instruct import instruct
from safeeraser.models.pretrain.lessons import never_known
from safeeraser.models.tiny import base
from safeeraser.models.tiny.weights import seal

ALIGN_STEPS = 600
INSTRUCT_STEPS = 450
_RANK, _ALPHA = 16, 32
_SEED = 2  # of whatever torch draws itself


def pretrain(
    output: Path, *, align_steps: int = ALIGN_STEPS, instruct_steps: int = INSTRUCT_STEPS, never_knew: bool = False
) -> Path:
    """Train the embedded model from its pretrained parts and write projector, adapter and manifest into `output`.

    With `never_knew` it is taught all but to follow instructions about the harmful things that `icons` measures and
    never trains on: what attacks are compared with that may teach instead of bringing back.

    Takes about half an hour on two cores with AMX, some minutes on a GPU. Raises UserError where there is something in
    `output`.
    """
    require_new(output)
    start = time.monotonic()
    torch.manual_seed(_SEED)
    loaded = load(str(base()))
    targets = f"{linear_targets(loaded.model, 'model.vision_tower')}|{language_targets(loaded.model)}"
    adapted = wrap(loaded.model, targets, None, _RANK, _ALPHA)
    aligned = align(loaded.model, loaded.processor, steps=align_steps)
    never = never_known() if never_knew else frozenset()
    instruct(loaded, adapted, steps=instruct_steps, never=never)
    _write(
        adapted,
        output,
        seconds=round(time.monotonic() - start),
        aligned=aligned,
        steps={"align": align_steps, "instruct": instruct_steps},
        never_knew=sorted(never),
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

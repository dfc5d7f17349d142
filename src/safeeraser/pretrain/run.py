"""Both stages, and the folder of weights they end in."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

import torch
from peft import PeftModel
from safetensors.torch import save_file

from safeeraser import provenance
from safeeraser.errors import UserError
from safeeraser.models.embedded import base
from safeeraser.models.embedded.weights import seal
from safeeraser.models.load import load
from safeeraser.pretrain.align import align, projector_of
from safeeraser.pretrain.instruct import instruct

ALIGN_STEPS = 1500
ALIGN_PICTURES = 100
INSTRUCT_STEPS = 480


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
    output.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=output.parent, prefix=f".{output.name}."))
    try:
        projector = projector_of(adapted.get_base_model())
        save_file(
            {name: tensor.float().contiguous() for name, tensor in projector.state_dict().items()},
            scratch / "projector.safetensors",
        )
        adapted.to(torch.bfloat16).save_pretrained(str(scratch / "adapter"))
        config = scratch / "adapter" / "adapter_config.json"
        config.write_text(config.read_text().replace(str(adapted.peft_config["default"].base_model_name_or_path), ""))
        (scratch / "adapter" / "README.md").unlink(missing_ok=True)
        seal(scratch, **facts, versions=provenance.versions())
        for path in (scratch, *scratch.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        scratch.replace(output)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise

"""Write a model with an adapter merged into it, as a plain model that anything of transformers loads."""

from __future__ import annotations

from pathlib import Path

from safeeraser.errors import UserError
from safeeraser.files import whole_folder
from safeeraser.models.load import load


def write_merged(model: str, adapter: Path, output: Path, *, dtype: str = "float32") -> Path:
    """Write model, adapter included, and processor to the new folder `output`, and return it.

    `dtype` is the precision of the merged weights: float32 loses nothing, bfloat16 takes half the room.
    Raises UserError where there is something in `output`, and where the adapter does not fit or changes nothing.
    """
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise UserError(f"{output}: there is something here already; choose another folder")
    loaded = load(model, adapter=adapter, dtype=dtype, device="cpu")
    with whole_folder(output) as scratch:
        loaded.model.save_pretrained(scratch)
        loaded.processor.save_pretrained(scratch)
    return output

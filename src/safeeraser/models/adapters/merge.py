"""Write a model with an adapter merged into it, as a plain model that anything of transformers loads."""

from __future__ import annotations

from pathlib import Path

from safeeraser import provenance
from safeeraser.files import require_new, whole_folder, write_json
from safeeraser.models.load import load


def write_merged(model: str, adapter: Path, output: Path, *, dtype: str = "float32") -> Path:
    """Write model, adapter included, and processor to the new folder `output`, and return it.

    What it was made of is in merged.json beside them: model and revision, hashes of its weights and of the adapter, and
    the code. `dtype` is the precision of the merged weights: float32 loses nothing, bfloat16 takes half the room.
    Raises UserError where there is something in `output`, and where the adapter does not fit or changes nothing.
    """
    require_new(output)
    loaded = load(model, adapter=adapter, dtype=dtype, device="cpu")
    with whole_folder(output) as scratch:
        loaded.model.save_pretrained(scratch)
        loaded.processor.save_pretrained(scratch)
        write_json(scratch / provenance.MADE_OF, {**loaded.identity, **provenance.made_with()})
    return output

"""`import-checkpoint`: the authors' checkpoint as an adapter."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from safeeraser.cli.output import stdout
from safeeraser.errors import UserError


def import_checkpoint(
    checkpoint: Annotated[
        Path, typer.Argument(metavar="checkpoint.pt", help="A flat state dict of LoRA and projector.")
    ],
    model: Annotated[str, typer.Option("--model", help="The model it was trained on: tiny, a folder, or a hub id.")],
    output: Annotated[Path, typer.Option("--output", help="Folder for the adapter; a new one.")],
    alpha: Annotated[
        float, typer.Option("--alpha", min=0, help="LoRA alpha of the training: not in the file. The authors' is 256.")
    ],
    rank: Annotated[
        int | None, typer.Option("--rank", min=1, help="LoRA rank, to be checked; it is in the file.")
    ] = None,
) -> None:
    """Turn the authors' checkpoint into an adapter.

    Every tensor has to have its place in the model, and every place is filled. The adapter's folder is printed.

    \b
    Example:
      safeeraser import-checkpoint checkpoint.pt --model llava-hf/llava-1.5-7b-hf --alpha 256 --output out/paper
    """
    from safeeraser.models.adapters import import_checkpoint as convert
    from safeeraser.models.load import load

    if alpha <= 0:
        raise UserError(f"--alpha must be above 0, not {alpha}")
    if not checkpoint.is_file():
        raise UserError(f"{checkpoint}: no such file")
    folder = convert(checkpoint, load(model), output, alpha=alpha, rank=rank)
    stdout.print(str(folder), markup=False, soft_wrap=True)

"""`merge`: a model with an adapter merged into it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from safeeraser.cli.options import Model
from safeeraser.cli.output import stdout
from safeeraser.errors import UserError, unknown

DTYPES = ("float32", "bfloat16", "float16")


def merge(
    adapter: Annotated[Path, typer.Option("--adapter", help="Folder of the adapter, in PEFT's format.")],
    output: Annotated[Path, typer.Option("--output", help="Folder for the model; a new one.")],
    model: Model = "tiny",
    dtype: Annotated[str, typer.Option("--dtype", help=f"Precision of the weights: {', '.join(DTYPES)}.")] = "float32",
) -> None:
    """Write a model with an adapter merged into it.

    A plain model with its processor, which transformers' AutoModelForImageTextToText loads. Its folder is printed.

    \b
    Example:
      safeeraser merge --model tiny --adapter out/po+pd/adapter --output out/merged
    """
    from safeeraser.models.adapters import write_merged

    if dtype not in DTYPES:
        raise UserError(unknown("dtype", dtype, DTYPES))
    stdout.print(str(write_merged(model, adapter, output, dtype=dtype)), markup=False, soft_wrap=True)

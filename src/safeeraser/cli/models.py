"""`models`: list what the key `model` takes."""

from __future__ import annotations

from safeeraser.cli.output import print_rows


def models() -> None:
    """List what the key `model` takes.

    \b
    Example:
      safeeraser models
    """
    from safeeraser.models import MODELS

    print_rows(MODELS)

"""`judges`: list what the key `judge` takes."""

from __future__ import annotations

from safeeraser.cli.output import print_rows


def judges() -> None:
    """List what the key `judge` takes.

    \b
    Example:
      safeeraser judges
    """
    from safeeraser.judges.table import JUDGES

    rows = {}
    for name, kind in JUDGES.items():
        needed = [key for key, field in kind.model_fields.items() if field.is_required()]
        rows[name] = f"{kind.about}; needs {' and '.join(needed)}" if needed else kind.about
    print_rows(rows)

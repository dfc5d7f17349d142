"""lmms-eval is an optional extra: what is said where it is not installed."""

from __future__ import annotations

from importlib.util import find_spec

from safeeraser.errors import UserError

INSTALL = "pip install 'safeeraser[specificity]'"


def require() -> None:
    """Raises UserError with the line that installs lmms-eval, where it is not there."""
    if find_spec("lmms_eval") is None:
        raise UserError(f"specificity needs lmms-eval, which is not installed: {INSTALL}")

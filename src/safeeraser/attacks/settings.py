"""Which attacks a run makes, as its configuration names them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from safeeraser.settings import Settings, Several, known


class AttackSettings(Settings):
    """An attack; in a configuration its name alone may stand for it."""

    name: Annotated[str, known("attacks", "attack")]
    """`safeeraser attacks list` lists them."""
    sweep: Several[Annotated[str, BeforeValidator(str)]] | None = Field(default=None, min_length=1)
    """The points that are measured; all of them unless given. `safeeraser attacks show NAME` lists them."""
    keep: Path | None = None
    """Folder for what universal-perturbation and soft-prompt have trained; it is thrown away unless this is given."""

    @model_validator(mode="before")
    @classmethod
    def _named(cls, given: Any) -> Any:
        return {"name": given} if isinstance(given, str) else given

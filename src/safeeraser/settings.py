"""What all settings are made of: models that are frozen and refuse unknown keys, and names that are looked up."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationInfo
from pydantic_core import PydanticCustomError

from safeeraser.errors import unknown


class Settings(BaseModel):
    """Values that are never changed; a key that does not exist is a problem."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The names that settings may use, as the CLI knows them. An empty tuple leaves that kind unchecked."""

    benchmarks: tuple[str, ...] = ()
    judges: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    models: tuple[str, ...] = ()


def known(field: str, kind: str) -> AfterValidator:
    """A validator that looks a name up in the `Names` given as context."""

    def check(name: str, info: ValidationInfo) -> str:
        names = getattr(info.context, field, ())
        if names and name not in names:
            raise PydanticCustomError("unknown_name", "{message}", {"message": unknown(kind, name, names)})
        return name

    return AfterValidator(check)


def _model(name: str, info: ValidationInfo) -> str:
    """A model is one of ours, a folder, or a hub id (`owner/name`)."""
    names = getattr(info.context, "models", ())
    if not names or name in names or "/" in name or Path(name).is_dir():
        return name
    message = f"{unknown('model', name, names)}, or a folder, or a hub id such as llava-hf/llava-1.5-7b-hf"
    raise PydanticCustomError("unknown_name", "{message}", {"message": message})


ModelName = Annotated[str, AfterValidator(_model)]
"""A string that names a model."""

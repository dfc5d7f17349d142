"""The settings of a judge: who judges answers, and how."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator

from safeeraser.settings import WAY, Settings, known


class JudgeSettings(Settings):
    """Who judges, and how: a name alone, or with the keys that this judge takes (docs/judging.md).

    The keys from `url` on, and `batch_size`, change how the work is done, not what is found.
    """

    name: Annotated[str, known("judges", "judge")] = "rules"
    model: str | None = None
    revision: str | None = None
    threshold: float | None = Field(default=None, gt=0)
    images: bool = False
    max_tokens: int = Field(default=256, ge=1)
    temperature: float | None = Field(default=0.0, ge=0)
    prompts: Path | None = None
    batch_size: Annotated[int, WAY] = Field(default=8, ge=1)
    url: Annotated[str | None, WAY] = None
    key_variable: Annotated[str, WAY] = "OPENAI_API_KEY"
    concurrency: Annotated[int, WAY] = Field(default=8, ge=1)
    requests_per_minute: Annotated[int | None, WAY] = Field(default=None, ge=1)
    timeout: Annotated[float, WAY] = Field(default=60.0, gt=0)
    attempts: Annotated[int, WAY] = Field(default=5, ge=1)
    input_price: Annotated[float, WAY] = Field(default=0.0, ge=0)
    output_price: Annotated[float, WAY] = Field(default=0.0, ge=0)
    max_cost: Annotated[float | None, WAY] = Field(default=None, gt=0)
    cache: Annotated[Path | None, WAY] = None

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, given: Any) -> Any:
        return {"name": given} if isinstance(given, str) else given

    @property
    def given(self) -> dict[str, Any]:
        """The keys that were set besides the name, as plain values."""
        return self.model_dump(mode="json", exclude_unset=True, exclude={"name"})

    def dump(self) -> str | dict[str, Any]:
        """The name, with the keys that were set if any were."""
        return {"name": self.name, **self.given} if self.given else self.name

"""Which benchmark is used, and how much of it is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from safeeraser.benchmarks.selection import HELD_OUT, Part
from safeeraser.settings import Seed, Settings, Several, known, problem


class DataSettings(Settings):
    """Where the examples come from. An embedded benchmark is built at `path` if it is not there yet.

    In a configuration the benchmark's name alone may stand for it.
    """

    benchmark: Annotated[str, known("benchmarks", "benchmark")] = "icons"
    """The kind of data; `safeeraser benchmarks` lists them."""
    path: Path | None = None
    """The data's folder; for icons and the like, data/<benchmark>-x<scale>-s<seed> unless set."""
    scale: float = Field(default=1.0, gt=0, le=1)
    """Size of icons and the like, as a share of the whole."""
    seed: Seed = 233
    """Seed of icons and the like."""

    @model_validator(mode="before")
    @classmethod
    def _named(cls, given: Any) -> Any:
        return {"benchmark": given} if isinstance(given, str) else given

    @property
    def folder(self) -> Path:
        """The data's folder; unless given, one per benchmark, scale and seed, so that runs share it."""
        return self.path or Path("data") / f"{self.benchmark}-x{self.scale:g}-s{self.seed}"


class Limits(Settings):
    """How many examples of each part are asked; all where it is not set."""

    efficacy: int | None = Field(default=None, ge=1)
    """Harmful questions about training pictures."""
    generality: int | None = Field(default=None, ge=1)
    """Harmful questions about validation pictures."""
    decoupled: int | None = Field(default=None, ge=1)
    """The same questions about safe pictures."""
    retain: int | None = Field(default=None, ge=1)
    """Harmless questions about harmful pictures."""


class OtherData(DataSettings):
    """Data that a run asks about beside its own."""

    parts: Several[Part] = HELD_OUT
    """What of them is asked: some of generality, decoupled, retain."""

    @field_validator("parts")
    @classmethod
    def _held_out(cls, given: tuple[Part, ...]) -> tuple[Part, ...]:
        """Each once, in the order in which they are asked."""
        if Part.EFFICACY in given:
            raise problem("efficacy is about pictures that were trained on, which are the run's own")
        if not given:
            raise problem("nothing is asked; leave the data out")
        return tuple(part for part in HELD_OUT if part in given)

    def results(self) -> dict[str, Any]:
        """Without parts where all are asked: once they always were, and choices are known by these."""
        found = super().results()
        return {key: value for key, value in found.items() if key != "parts" or value != list(HELD_OUT)}

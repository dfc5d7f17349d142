"""How answers are made: the settings of generation, and the requests that follow from them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from safeeraser.records import Example, Stream
from safeeraser.settings import WAY, Seed, Settings, problem

_PAPER = {"temperature": 1.0, "top_p": 0.9, "forget_samples": 3, "max_new_tokens": 512}  # arXiv 2502.12520


class Decoding(Settings):
    """How tokens are chosen, of however many answers."""

    batch_size: Annotated[int, WAY] = Field(default=32, ge=1)
    """Questions answered at once."""
    max_new_tokens: int = Field(default=64, ge=1)
    """Tokens after which an answer is cut."""
    temperature: float = Field(default=0.0, ge=0)
    """0 is greedy."""
    top_p: float = Field(default=1.0, gt=0, le=1)
    """Draw from the smallest set of tokens that holds so much of the probability."""


class GenerateSettings(Decoding):
    """How answers are made. `protocol` sets what is not set otherwise."""

    protocol: Annotated[Literal["strict", "paper"], WAY] = "strict"
    """strict: greedy, one answer a question; paper: drawn, three to each harmful question about a harmful picture."""
    samples: int = Field(default=1, ge=1)
    """Answers to each question."""
    forget_samples: int | None = Field(default=None, ge=1)
    """Answers to each harmful question about a harmful picture; samples if not set."""
    seed: Seed = 233
    """Seed of drawn answers; the run's if not set."""

    @model_validator(mode="before")
    @classmethod
    def _filled(cls, given: Any) -> Any:
        paper = isinstance(given, Mapping) and given.get("protocol") == "paper"
        return _PAPER | dict(given) if paper else given

    @model_validator(mode="after")
    def _greedy_is_one_sample(self) -> Self:
        for name in ("samples", "forget_samples"):
            if self.temperature == 0 and (getattr(self, name) or 1) > 1:
                raise problem(f"{name} above 1 need a temperature above 0: greedy answers are equal")
        return self

    def requests(self, examples: Sequence[Example]) -> list[Request]:
        """Every answer to make, in the order of the examples."""
        return [Request(example, sample) for example in examples for sample in range(self._samples(example.stream))]

    def _samples(self, stream: Stream) -> int:
        return (stream is Stream.FORGET and self.forget_samples) or self.samples


@dataclass(frozen=True, slots=True)
class Request:
    """One answer to make: to this example, the `sample`-th of its answers.

    `prefill` is the start of the answer, which is put into the model's mouth; it goes on from there.
    """

    example: Example
    sample: int
    prefill: str = ""

    @property
    def key(self) -> tuple[str, int]:
        """What tells the answer from all others."""
        return self.example.id, self.sample

    def seed(self, seed: int) -> int:
        """The seed of this answer's random draws, below 2**56: the same whatever else is asked."""
        return int.from_bytes(hashlib.sha256(f"{seed}\0{self.example.id}\0{self.sample}".encode()).digest()[:7])

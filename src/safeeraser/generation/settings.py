"""How answers are made, and which ones: the settings of generation, and the requests that follow from them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from safeeraser.errors import UserError
from safeeraser.records import Example, Stream


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerateSettings:
    """How answers are made. `temperature` 0 is greedy; else answers are drawn, from the smallest set of tokens that
    holds `top_p` of the probability: `samples` of them an example, `forget_samples` for a forget example where that
    is set. `limit` asks only the first so many examples.

    Raises UserError naming every setting that is out of range.
    """

    batch_size: int = 32
    max_new_tokens: int = 64
    temperature: float = 0.0
    top_p: float = 1.0
    samples: int = 1
    forget_samples: int | None = None
    seed: int = 233
    limit: int | None = None

    def __post_init__(self) -> None:
        one, greedy = "1 with temperature 0: greedy answers are equal", self.temperature <= 0
        forget_samples = 1 if self.forget_samples is None else self.forget_samples
        checks = [
            ("batch_size", self.batch_size >= 1, "at least 1"),
            ("max_new_tokens", self.max_new_tokens >= 1, "at least 1"),
            ("samples", self.samples >= 1, "at least 1"),
            ("samples", self.samples <= 1 or not greedy, one),
            ("forget_samples", forget_samples >= 1, "at least 1"),
            ("forget_samples", forget_samples <= 1 or not greedy, one),
            ("temperature", self.temperature >= 0, "0 or more"),
            ("top_p", 0 < self.top_p <= 1, "above 0 and at most 1"),
            ("limit", self.limit is None or self.limit >= 1, "at least 1"),
        ]
        problems = [f"{name} must be {rule}, not {getattr(self, name)!r}" for name, fine, rule in checks if not fine]
        if problems:
            raise UserError("\n".join(problems))

    def requests(self, examples: Sequence[Example]) -> list[Request]:
        """Every answer to make, in the order of the examples."""
        return [
            Request(example, sample)
            for example in examples[: self.limit]
            for sample in range(self._samples(example.stream))
        ]

    def _samples(self, stream: Stream) -> int:
        return (stream is Stream.FORGET and self.forget_samples) or self.samples


@dataclass(frozen=True, slots=True)
class Request:
    """One answer to make: to this example, the `sample`-th of its answers."""

    example: Example
    sample: int

    @property
    def key(self) -> tuple[str, int]:
        """What tells the answer from all others."""
        return self.example.id, self.sample

    def seed(self, seed: int) -> int:
        """The seed of this answer's random draws, below 2**56: the same whatever else is asked."""
        return int.from_bytes(hashlib.sha256(f"{seed}\0{self.example.id}\0{self.sample}".encode()).digest()[:7])

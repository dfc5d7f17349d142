"""A request to a model, and what becomes of its answer."""

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Instance:
    request_type: str
    arguments: tuple[Any, ...]
    idx: int = 0
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def args(self) -> tuple[Any, ...]:
        return self.arguments


@dataclass
class GenerationResult:
    text: Any
    token_counts: Any = None


def unwrap_generation_output(output: Any) -> tuple[Any, Any]:
    if isinstance(output, GenerationResult):
        return output.text, output.token_counts
    return output if isinstance(output, str) else str(output), None

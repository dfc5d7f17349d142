"""A request to a model."""

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

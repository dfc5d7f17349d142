"""SafeEraser: make a multimodal LLM stop answering harmful image+text requests, and prove it.

The Python API is the functions named here (docs/python.md shows them in ten lines, docs/api.md tells all). They are
imported when they are used, so that `import safeeraser` needs no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from safeeraser.api import attack, compare, generate, judge, load, read_benchmark, score, unlearn

__version__ = "0.1.0"
__all__ = ["attack", "compare", "generate", "judge", "load", "read_benchmark", "score", "unlearn"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from safeeraser import api  # noqa: PLC0415  torch takes seconds

    return getattr(api, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])

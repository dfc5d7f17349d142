"""Weights that are changed for a while, and to the bit what they were afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import PreTrainedModel


@contextmanager
def changed(weights: Mapping[str, Tensor]) -> Iterator[Mapping[str, Tensor]]:
    """Let the block change these weights in place; afterwards they are again what they were, to the bit.

    The original ones wait in a file that has no name any more, so that memory holds the model once and nothing is left
    of it however the process ends. The attacked ones are in memory only.
    """
    with TemporaryDirectory() as folder:
        path = Path(folder) / "weights.safetensors"
        save_file({name: weight.detach().contiguous() for name, weight in weights.items()}, path)
        with safe_open(path, "pt") as original:
            path.unlink()
            try:
                yield weights
            finally:
                for name, weight in weights.items():
                    weight.copy_(original.get_tensor(name))


@contextmanager
def mapped(weights: Mapping[str, Tensor], change: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """While the block runs, each weight is what `change` makes of it."""
    with changed(weights):
        for weight in weights.values():
            weight.copy_(change(weight))
        yield


def language_linears(model: PreTrainedModel) -> dict[str, Tensor]:
    """The weight matrices of the language model's attention and MLP layers, by name; embeddings and norms are not."""
    decoder: Any = model.get_decoder()
    return {f"{name}.weight": each.weight.data for name, each in decoder.named_modules() if isinstance(each, nn.Linear)}

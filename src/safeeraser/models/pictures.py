"""What a processor makes of a picture: the text that stands for it, and its pixels."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from safeeraser.pixels import open_rgb

_KEPT_BYTES = 256 * 2**20


@dataclass(frozen=True, slots=True)
class Expansion:
    """The text that stands for a picture, its placeholder expanded, and how many picture tokens that is."""

    text: str
    tokens: int


class Pictures:
    """Pictures by path, each processed once as long as it is asked for again soon.

    Expansions are small and kept for good; of the processor's tensors the latest are kept, 256 MB of them, because a
    batch asks for a picture's tokens first and for its pixels next.
    """

    def __init__(self, processor: Any) -> None:
        self._processor = processor
        self._ids = frozenset([processor.image_token_id, *processor.image_token_ids])
        self._expansions: dict[Path, Expansion] = {}
        self._tensors: OrderedDict[Path, dict[str, Tensor]] = OrderedDict()
        self._size = 0

    def count(self, ids: tuple[int, ...]) -> int:
        """How many of these tokens stand for a picture, or a part of one."""
        return sum(token in self._ids for token in ids)

    def end(self, ids: tuple[int, ...]) -> int:
        """The place after the last of these tokens that stands for a picture; 0 where none does."""
        return next((end for end in range(len(ids), 0, -1) if ids[end - 1] in self._ids), 0)

    def expansion(self, image: Path) -> Expansion:
        """What stands for the picture in a prompt."""
        if image not in self._expansions:
            self._process(image)
        return self._expansions[image]

    def tensors(self, image: Path) -> dict[str, Tensor]:
        """What the processor returns for the picture alone."""
        return self._tensors[image] if image in self._tensors else self._process(image)

    def _process(self, image: Path) -> dict[str, Tensor]:
        inputs = dict(
            self._processor(
                text=[self._processor.image_token],
                images=[open_rgb(image)],
                add_special_tokens=False,
                return_tensors="pt",
                return_text_replacement_offsets=True,
            )
        )
        replaced = inputs.pop("text_replacement_offsets", [[]])[0]  # none where the placeholder stays as it is
        text = replaced[0]["replacement"] if replaced else self._processor.image_token
        tokens = tuple(self._processor.tokenizer(text, add_special_tokens=False)["input_ids"])
        self._expansions[image] = Expansion(text, self.count(tokens))
        self._keep(image, inputs)
        return inputs

    def _keep(self, image: Path, tensors: dict[str, Tensor]) -> None:
        self._tensors[image] = tensors
        self._size += _bytes(tensors)
        while self._size > _KEPT_BYTES:
            self._size -= _bytes(self._tensors.popitem(last=False)[1])


def _bytes(tensors: dict[str, Tensor]) -> int:
    return sum(each.nbytes for each in tensors.values() if isinstance(each, Tensor))

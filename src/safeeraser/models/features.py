"""Features of pictures that a frozen vision tower has seen, kept for whatever asks the same tower again."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from torch import Tensor, nn

_Key = tuple[Path, int, int]
_ROOM = 4 * 2**30


class Features:
    """Features [tokens, width] of pictures, kept while there is room: `limit_bytes`, 0 for none.

    They are those of one tower, in one precision, on one device. A file that was written anew is another picture.
    `as_tensor`: the family's image features are one tensor, and not a list with one for each picture.
    """

    def __init__(self, limit_bytes: int = _ROOM) -> None:
        self.limit_bytes = limit_bytes
        self.as_tensor = False
        self._room = limit_bytes
        self._kept: dict[_Key, Tensor] = {}

    def __contains__(self, image: Path) -> bool:
        return _key(image) in self._kept

    def __getitem__(self, image: Path) -> Tensor:
        return self._kept[_key(image)]

    def keep(self, image: Path, feature: Tensor) -> None:
        """Keep what a picture has become, where there is room."""
        if feature.nbytes <= self._room:
            self._room -= feature.nbytes
            with torch.inference_mode(False):  # who answers needs no gradients, who trains next may
                self._kept[_key(image)] = feature.clone()


def _key(image: Path) -> _Key:
    status = image.stat()
    return image, status.st_mtime_ns, status.st_size


def fingerprint(tower: nn.Module) -> str:
    """By what a vision tower's weights are known again: features that another one made are not its own."""
    digest = hashlib.sha256()
    for name, weight in tower.state_dict().items():
        digest.update(f"{name} {weight.dtype} {tuple(weight.shape)}".encode())
        digest.update(weight.reshape(-1).cpu().view(torch.uint8).numpy())
    return digest.hexdigest()

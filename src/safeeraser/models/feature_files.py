"""Vision features on disk, one safetensors file per picture, so that another run need not work them out again."""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from safeeraser.errors import UserError
from safeeraser.provenance import file_hash

if TYPE_CHECKING:
    from transformers import PreTrainedModel

logger = logging.getLogger(__name__)
VARIABLE = "SAFEERASER_FEATURES_GIB"
_FEATURES, _HASH = "features", "sha256"
_SCRATCH = ".scratch."
_ABANDONED = 3600  # seconds after which a scratch file is what a killed process left


def allowed_bytes() -> int:
    """How much disk features may take: the environment variable `SAFEERASER_FEATURES_GIB`, in GiB; without it, none.

    That depends on the machine and changes no result, so it is no setting of a run.
    Raises UserError where the variable is not a number, or below 0.
    """
    told = os.environ.get(VARIABLE) or "0"
    try:
        return _bytes_of(float(told))
    except (ValueError, OverflowError):
        raise UserError(f"{VARIABLE} must be how many GiB of disk features may take, 0 or more, not {told!r}") from None


def _bytes_of(gib: float) -> int:
    if gib < 0:
        raise ValueError
    return int(gib * 2**30)


def maker(model: PreTrainedModel, tower: torch.nn.Module, processor: Any) -> str:
    """What features depend on besides the picture, as 16 hex digits: weights, settings, processor, device, versions."""
    digest = hashlib.sha256()
    settings = [model.config.to_json_string(), str(model.config._attn_implementation), model.device.type]
    versions = [version(package) for package in ("torch", "transformers")]
    digest.update("\0".join([*settings, processor.image_processor.to_json_string(), *versions]).encode())
    for name, weights in tower.state_dict().items():
        digest.update(f"\0{name} {weights.dtype} {tuple(weights.shape)}\0".encode())
        digest.update(_bytes(weights))
    return digest.hexdigest()[:16]


class FeatureFiles:
    """What one vision tower makes of pictures, in files: `limit_bytes` at most, with all else that is in `root`.

    A file is named by what is in the picture and stands in the folder `key`, see `maker`, so that nothing out of date
    is found. It appears whole or not at all, and counts only if it has the hash that it tells. Once the limit is
    reached nothing more is kept, and nothing removed. `writers` processes that begin together share the room left.
    """

    def __init__(self, root: Path, key: str, *, limit_bytes: int, writers: int = 1) -> None:
        self._root = root
        self._folder = root / key
        _remove_abandoned(root)
        self._room = (limit_bytes - _size(root)) // writers
        self._full = False
        self._names: dict[Path, str] = {}

    def get(self, image: Path) -> Tensor | None:
        """The features of a picture, on the CPU; None where there are none, or damaged ones, which are removed."""
        path = self._path(image)
        try:
            return _read(path)
        except FileNotFoundError:
            return None
        except (OSError, SafetensorError, _Damaged) as error:
            logger.warning("%s is damaged and made again: %s", path, error)
            with suppress(OSError):
                path.unlink()
            return None

    def put(self, image: Path, features: Tensor) -> None:
        """Keep the features of a picture, [tokens, width], if there is room for them."""
        path = self._path(image)
        if self._full or path.exists():
            return
        features = features.detach().cpu().clone()  # of their own: a part of a batch would be saved with the rest
        content = save({_FEATURES: features}, {_HASH: _hash(features)})
        if len(content) > self._room:
            self._stop(f"as much is there as {VARIABLE} allows; folders in it can be removed")
            return
        try:
            _write(path, content)
        except OSError as error:
            self._stop(str(error))
        self._room -= len(content)

    def _stop(self, reason: str) -> None:
        self._full = True
        logger.warning("no more vision features are kept in %s: %s", self._root, reason)

    def _path(self, image: Path) -> Path:
        if image not in self._names:
            self._names[image] = f"{file_hash(image)}.safetensors"
        return self._folder / self._names[image]


class _Damaged(Exception):
    """A file whose features do not have the hash that it tells."""


def _read(path: Path) -> Tensor:
    with safe_open(path, framework="pt") as file:
        told = (file.metadata() or {}).get(_HASH)
        features: Tensor = file.get_tensor(_FEATURES)
    if told != _hash(features):
        raise _Damaged("other features than were written")
    return features


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=_SCRATCH)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _remove_abandoned(root: Path) -> None:
    for path, told in _files(root):
        if path.name.startswith(_SCRATCH) and time.time() - told.st_mtime > _ABANDONED:
            path.unlink(missing_ok=True)


def _size(root: Path) -> int:
    return sum(told.st_size for _, told in _files(root))


def _files(root: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """All files below; other processes may be writing there."""
    for path in root.rglob("*"):
        with suppress(FileNotFoundError):
            told = path.stat()
            if S_ISREG(told.st_mode):
                yield path, told


def _hash(features: Tensor) -> str:
    return hashlib.sha256(_bytes(features)).hexdigest()


def _bytes(tensor: Tensor) -> memoryview:
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data

"""The cache on disk: folders that are complete or absent, whoever is interrupted and however many build at once."""

import shutil
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from safeeraser.folders import cache_folder

__all__ = ["built_once", "cache_folder"]


def built_once(folder: Path, build: Callable[[Path], None], intact: Callable[[Path], bool] = Path.is_dir) -> Path:
    """Return `folder`, letting `build` fill it first unless it is already there and `intact`.

    `build` writes into a temporary folder beside it that is renamed when complete, so an error or a crash leaves no
    half-written `folder` and the next call starts afresh. A lock makes other processes wait instead of building too.
    """
    if intact(folder):
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(f"{folder.name}.lock")):
        if not intact(folder):
            _build(folder, build)
    return folder


def _build(folder: Path, build: Callable[[Path], None]) -> None:
    partial = folder.with_name(f"{folder.name}.partial")
    for stale in (partial, folder):  # what a killed process left (the lock is ours), and what is no longer intact
        shutil.rmtree(stale, ignore_errors=True)
    partial.mkdir()
    try:
        build(partial)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)

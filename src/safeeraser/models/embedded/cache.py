"""The cache on disk: folders that are either complete or absent, whoever is interrupted and however many build at once."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock


def cache_folder(cache: Path | None = None) -> Path:
    """Where parts and assembled models live: `cache`, else `SAFEERASER_CACHE`, else `safeeraser` in the user's cache."""
    if cache is not None:
        return cache
    if chosen := os.environ.get("SAFEERASER_CACHE"):
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "safeeraser"


def built_once(folder: Path, build: Callable[[Path], None]) -> Path:
    """Return `folder`, letting `build` fill it first if it is not there.

    `build` writes into a temporary folder beside it that is renamed when complete, so a crash or an error leaves no
    half-written `folder` and the next call starts afresh. A lock lets other processes wait instead of building too.
    """
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(f"{folder.name}.lock")):
        if not folder.is_dir():
            _build(folder, build)
    return folder


def _build(folder: Path, build: Callable[[Path], None]) -> None:
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # what a killed process left; nobody else works on it under the lock
    partial.mkdir()
    try:
        build(partial)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)

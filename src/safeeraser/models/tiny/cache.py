"""The cache on disk: folders that are complete or absent, whoever is interrupted and however many build at once."""

import os
import re
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from filelock import FileLock

from safeeraser.files import cache_folder

__all__ = ["built_once", "cache_folder"]

_UNUSED_FOR = 7 * 24 * 3600
"""Seconds after which a folder that another version built is taken for left behind."""

_PARTIAL = ".partial"


def built_once(folder: Path, build: Callable[[Path], None], intact: Callable[[Path], bool] = Path.is_dir) -> Path:
    """Return `folder`, letting `build` fill it first unless it is already there and `intact`.

    `build` writes into a temporary folder beside it that is renamed when complete, so an error or a crash leaves no
    half-written `folder` and the next call starts afresh. A lock makes other processes wait instead of building too.

    A name may end in a key of 12 hex digits, which tells versions apart. After a build those folders of the same name
    with another key are removed that nobody asked for in the last week.
    """
    if not intact(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _lock(folder):
            if not intact(folder):
                _build(folder, build)
        _remove_unused(folder)
    with suppress(OSError):  # a cache that may only be read
        os.utime(folder)
    return folder


def _lock(folder: Path, timeout: float = -1) -> FileLock:
    return FileLock(folder.with_name(f"{folder.name}.lock"), timeout=timeout)


def _partial(folder: Path) -> Path:
    return folder.with_name(folder.name + _PARTIAL)


def _build(folder: Path, build: Callable[[Path], None]) -> None:
    partial = _partial(folder)
    for stale in (partial, folder):  # what a killed process left (the lock is ours), and what is no longer intact
        shutil.rmtree(stale, ignore_errors=True)
    partial.mkdir()
    try:
        build(partial)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _remove_unused(built: Path) -> None:
    """Remove what other versions of a folder left behind, killed builds included."""
    for path in built.parent.iterdir():
        folder = path.with_name(path.name.removesuffix(_PARTIAL))
        if folder != built and _name(folder) == _name(built):
            with suppress(OSError):  # gone already, not ours to remove, or being built just now
                _remove_if_unused(path, folder)


def _name(folder: Path) -> str:
    return re.sub(r"-[0-9a-f]{12}$", "", folder.name)


def _remove_if_unused(path: Path, folder: Path) -> None:
    """`path` is `folder` or what a build of it left. Renamed before it is emptied, so that nobody finds half of it."""
    if not path.is_dir() or time.time() - path.stat().st_mtime < _UNUSED_FOR:
        return
    with _lock(folder, timeout=0):
        partial = _partial(folder)
        if path == folder:
            shutil.rmtree(partial, ignore_errors=True)
            folder.rename(partial)
        shutil.rmtree(partial, ignore_errors=True)

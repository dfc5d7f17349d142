"""Folders that appear complete or not at all, whenever the process is stopped, and the one for what can be made again.

Standard library only.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """Yield a scratch folder beside `target` that takes its place when the block ends, and is removed if it fails.

    `target` must not exist or be an empty folder; OSError is raised at the end otherwise. Files get ordinary
    permissions, whatever wrote them.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        yield scratch
        for path in (scratch, *scratch.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        scratch.replace(target)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise


def cache_folder(cache: Path | None = None) -> Path:
    """Where parts, models and pictures are kept that can be fetched or made again.

    `cache`, else `SAFEERASER_CACHE`, else `safeeraser` in the user's cache folder.
    """
    if cache is not None:
        return cache
    if chosen := os.environ.get("SAFEERASER_CACHE"):
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "safeeraser"

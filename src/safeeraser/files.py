"""Files and folders that appear whole or not at all, and have one writer at a time; where the cache is."""

from __future__ import annotations

import glob
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from safetensors import SafetensorError

from safeeraser.errors import DiskError, UserError
from safeeraser.text import json_text

LFS_POINTER = b"version https://git-lfs"
"""How the file begins that Git LFS leaves in the place of a large one."""

SETTLED = 2.0
"""Seconds after a change of a file: another one of the same size that comes sooner may leave the same times."""

_SCRATCH_LETTERS = 8  # that tempfile puts behind a prefix


@contextmanager
def _naming(target: Path) -> Iterator[None]:
    """Tell of a full or broken disk which file it had no room for: an error of writing does not know."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = str(target)
        raise
    except SafetensorError as error:
        raise DiskError(f"{target}: {error}") from error


@contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """Yield a scratch file beside `target` that takes its place when the block ends, and is removed if it fails.

    A reader finds the old content or the new, never a half. The file has ordinary permissions, and is on the disk
    when this ends. Raises UserError where there is something else than a file.
    """
    if target.exists() and not target.is_file():  # as /dev/null, whose place it would take
        raise UserError(f"{target}: not a file that could be written anew; name another")
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    os.close(handle)
    scratch = Path(name)
    try:
        with _naming(target):
            yield scratch
            scratch.chmod(0o644)
            with scratch.open("rb") as file:
                os.fsync(file.fileno())
            scratch.replace(target)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """Yield a scratch folder beside `target` that takes its place when the block ends, and is removed if it fails.

    `target` must not exist or be an empty folder; UserError is raised at the end otherwise, for what another process
    has written there meanwhile stays. Files get ordinary permissions, whatever wrote them. Raises it at once for a
    place without a name of its own, such as the current folder.
    """
    require_named(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        with _naming(target):
            yield scratch
            for path in (scratch, *scratch.rglob("*")):
                path.chmod(0o755 if path.is_dir() else 0o644)
            require_new(target, "another process has written it; nothing was changed")
            scratch.replace(target)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise


@contextmanager
def owned(place: Path, *, wait: bool = False) -> Iterator[None]:
    """Be the only one who writes to a file or folder while the block runs, however its path is spelt.

    The lock lies beside it as `.<name>.lock`; one whose owner was killed is free. With `wait` another owner is waited
    for. Raises UserError, which says who is at work, otherwise.
    """
    place = real(place)
    place.parent.mkdir(parents=True, exist_ok=True)
    lock, owner = (place.with_name(f".{place.name}.{end}") for end in ("lock", "owner"))
    try:
        held = FileLock(lock, timeout=-1 if wait else 0).acquire()
    except Timeout as error:
        raise UserError(f"{place}: {_read_owner(owner)} is at work here; wait for its end, or name another") from error
    with held:
        since = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
        owner.write_text(f"process {os.getpid()} on {socket.gethostname()}, since {since},", encoding="utf-8")
        try:
            yield
        finally:
            owner.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    with whole_file(path) as scratch:
        scratch.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file whole or not at all, with the line breaks as they are."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any, *, indent: int | None = 1) -> None:
    """Write a value as JSON whole or not at all. Raises UserError as `to_json` does."""
    write_text(path, to_json(path, value, indent=indent))


def to_json(path: Path, value: Any, *, indent: int | None = None) -> str:
    """A value as JSON that ends in a line break, for the file at `path`.

    Raises UserError naming the file for a number that JSON does not have (NaN, an infinity).
    """
    try:
        return json_text(value, indent=indent) + "\n"
    except ValueError as error:
        raise UserError(f"{path}: {error}") from error


def append_text(path: Path, lines: str) -> None:
    """Append whole lines in one write, on the disk when this returns; what a kill cut short is closed with a break."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _naming(path), path.open("ab+") as file:
        if file.tell() and not _ends_with_break(file.fileno(), file.tell()):
            lines = "\n" + lines
        file.write(lines.encode(errors="replace"))
        file.flush()
        os.fsync(file.fileno())


def remove_scratch(target: Path) -> None:
    """Remove what kills have left of `whole_file` and `whole_folder` to this place; for who alone writes there."""
    for scratch in target.parent.glob(f".{glob.escape(target.name)}.{'?' * _SCRATCH_LETTERS}"):
        if scratch.is_dir() and not scratch.is_symlink():
            shutil.rmtree(scratch, ignore_errors=True)
        else:
            scratch.unlink(missing_ok=True)


def remove_all_scratch(folder: Path) -> None:
    """Remove what kills have left of files and folders directly in a folder; for who alone writes there."""
    for path in folder.glob(f".*.{'?' * _SCRATCH_LETTERS}"):
        remove_scratch(path.with_name(path.name[1 : -_SCRATCH_LETTERS - 1]))


def file_state(status: os.stat_result) -> tuple[str, bool]:
    """What tells a file as it is now from itself after a change, and whether it is old enough for that to be sure."""
    last = max(status.st_mtime, status.st_ctime)
    parts = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    return " ".join(map(str, parts)), time.time() - last > SETTLED


def check_fetched(path: Path) -> None:
    """Raise UserError for a file that is what Git LFS leaves in the place of a large one; nothing may be there."""
    if path.is_file():
        with path.open("rb") as file:
            if file.read(len(LFS_POINTER)) == LFS_POINTER:
                raise UserError(f"{path}: a Git LFS pointer, not the file itself; `git lfs pull` gets it")


def real(path: Path) -> Path:
    """Where a path leads, absolute. One in a circle of links leads nowhere: it stays as it is, and opening it tells.

    `Path.resolve` of Python before 3.13 has a RuntimeError for that.
    """
    return Path(os.path.realpath(path))


def is_one_name(text: str) -> bool:
    """Whether a text names something in a folder, and nothing elsewhere."""
    return text not in ("", ".", "..") and not {"/", "\0"} & set(text)


def require_named(target: Path) -> None:
    """Raise UserError for a place without a name of its own, as `.`: nothing can lie beside it and take its place."""
    if target.name in ("", ".."):
        raise UserError(f"{target}: a new folder has a name; from the folder above, name {real(target).name or 'one'}")


def require_new(target: Path, advice: str = "name a new folder") -> None:
    """Raise UserError, ending in the advice, where there is something at `target`; an empty folder is nothing.

    Raises it as `require_named` does, too.
    """
    require_named(target)
    if target.is_symlink() or (target.exists() and not (target.is_dir() and not any(target.iterdir()))):
        raise UserError(f"{target} exists already; {advice}")


def cache_folder(cache: Path | None = None) -> Path:
    """Where parts, models and pictures are kept that can be fetched or made again.

    `cache`, else `SAFEERASER_CACHE`, else `safeeraser` in the user's cache folder.
    """
    if cache is not None:
        return cache
    if chosen := os.environ.get("SAFEERASER_CACHE"):
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "safeeraser"


def _read_owner(path: Path) -> str:
    with suppress(OSError):
        return path.read_text(encoding="utf-8") or "another process"
    return "another process"


def _ends_with_break(descriptor: int, size: int) -> bool:
    return os.pread(descriptor, 1, size - 1) == b"\n"

"""Path-safe access to a benchmark's files: nothing outside its folder is opened, whatever its records say."""

from __future__ import annotations

import os
import stat
import unicodedata
from pathlib import Path, PurePosixPath, PureWindowsPath

from safeeraser.errors import UserError
from safeeraser.text import quoted


class PathError(UserError):
    """A path of a record that must not or cannot be followed; the message says why."""


class Folder:
    """A folder whose files are reached by relative paths only."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._real = os.path.realpath(root)

    def has(self, text: str) -> bool:
        """Whether there is anything at a path, be it a link that leads nowhere or outside."""
        return os.path.lexists(self.root / text)

    def file(self, text: str, *, limit: int) -> Path:
        """The regular file at a relative path, as a path that starts with `root`.

        Raises PathError where the path is absolute, holds "..", leads outside the folder by a symbolic link, or where
        no regular file of 1 to `limit` bytes is there.
        """
        path = self._inside(text)
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise PathError(f"not a regular file: {quoted(text)}")
        if not 0 < status.st_size <= limit:
            what = f"more than {limit:,} bytes" if status.st_size else "empty file"
            raise PathError(f"{what}: {quoted(text)}")
        return path

    def names(self, text: str) -> list[str]:
        """The names in a folder below ("." is the folder itself), sorted. Raises PathError as `file` does."""
        path = self._inside(text)
        try:
            return sorted(entry.name for entry in path.iterdir())
        except OSError as error:
            raise PathError(f"{error.strerror}: {quoted(text)}") from error

    def _inside(self, text: str) -> Path:
        path = self.root / relative(text)
        try:
            real = os.path.realpath(path, strict=True)
        except OSError as error:
            hint = "; a path's parts are separated by /" if "\\" in text else ""
            raise PathError(f"{error.strerror}: {quoted(text)}{hint}") from error
        if os.path.commonpath((self._real, real)) != self._real:
            raise PathError(f"leads outside the folder: {quoted(text)}")
        return path


def relative(text: str) -> PurePosixPath:
    """A record's path as one below the benchmark's folder. Raises PathError where it is not."""
    path = PurePosixPath(text)
    if not text.strip():
        raise PathError("empty path")
    if path.is_absolute() or PureWindowsPath(text).anchor:
        raise PathError("absolute path; paths are relative to the benchmark's folder")
    if ".." in path.parts:
        raise PathError("path with '..'")
    if in_no_path(text):
        raise PathError("path with control characters")
    return path


def in_no_path(text: str) -> bool:
    """Whether a text holds what no record's path may: control characters, and what is not UTF-8."""
    return any(unicodedata.category(character) in ("Cc", "Cs") for character in text)

"""Pictures of a source: files of its folder, members of its zip archives, or bytes out of its tables."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

from safeeraser.benchmarks.reading.folder import Folder, PathError, relative
from safeeraser.errors import explained
from safeeraser.files import cache_folder, write_bytes
from safeeraser.pixels import MAX_BYTES, ImageError, format_of
from safeeraser.text import quoted

_ARCHIVE_LIMIT = 64 * 2**30
_SUFFIXES = {"JPEG": "jpg"}


class Gallery:
    """Finds pictures; each name is looked up once.

    A picture that is no file of its own is written into the cache (`folders.cache_folder`), named after its content,
    so that whoever shows, answers or trains has a path to open.
    """

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._found: dict[str, Path | PathError] = {}
        self._archives: dict[str, dict[str, zipfile.ZipInfo] | None] = {}
        self._open: dict[str, zipfile.ZipFile] = {}

    def find(self, name: str) -> Path:
        """The picture `top/rest`: that file, else the member `top/rest` or `rest` of `top.zip`.

        Raises PathError as `Folder.file` does, and where the archive or its member cannot be read.
        """
        if name not in self._found:
            try:
                self._found[name] = self._find(name)
            except PathError as error:
                self._found[name] = error
        found = self._found[name]
        if isinstance(found, PathError):
            raise found
        return found

    def named(self) -> set[Path]:
        """Where the pictures that were asked for lie, or should lie."""
        return {found if isinstance(found, Path) else self._folder.root / name for name, found in self._found.items()}

    def keep(self, content: bytes) -> Path:
        """A picture's bytes as a file of the cache. Raises PathError where they are no picture of a known format."""
        if not 0 < len(content) <= MAX_BYTES:
            raise PathError(f"more than {MAX_BYTES:,} bytes" if content else "empty picture")
        name = hashlib.sha256(content).hexdigest()
        path = cache_folder() / "pictures" / name[:2] / f"{name}.{suffix_of(content)}"
        if not path.exists():
            write_bytes(path, content)
        return path

    def _find(self, name: str) -> Path:
        try:
            return self._folder.file(name, limit=MAX_BYTES)
        except PathError:
            top, *rest = relative(name).parts or ("",)
            members = self._members(f"{top}.zip") if rest else None
            if members is None:
                raise
        member = members.get("/".join((top, *rest))) or members.get("/".join(rest))
        if member is None:
            raise PathError(f"neither a file nor in {top}.zip: {quoted(name)}")
        return self.keep(self._read(f"{top}.zip", member))

    def _members(self, archive: str) -> dict[str, zipfile.ZipInfo] | None:
        """An archive's files by name; None where there is no such archive."""
        if archive not in self._archives:
            self._archives[archive] = self._list(archive) if self._folder.has(archive) else None
        return self._archives[archive]

    def _list(self, archive: str) -> dict[str, zipfile.ZipInfo]:
        with explained(f"{archive}: not a zip archive that can be read", PathError):
            self._open[archive] = zipfile.ZipFile(self._folder.file(archive, limit=_ARCHIVE_LIMIT))
        return {member.filename: member for member in self._open[archive].infolist()}

    def _read(self, archive: str, member: zipfile.ZipInfo) -> bytes:
        what = f"{archive}: {quoted(member.filename)} cannot be read"
        with explained(what, PathError), self._open[archive].open(member) as file:
            return file.read(MAX_BYTES + 1)  # whatever size the archive claims


def suffix_of(content: bytes) -> str:
    """The usual suffix of a picture's format, without the dot. Raises PathError where it is of no known format."""
    try:
        found = format_of(content)
    except ImageError as error:
        raise PathError(str(error)) from error
    return _SUFFIXES.get(found, found.lower())

"""Ways to spoil a benchmark's files, for `fuzz`: each changes a copy in place, somewhere at random."""

from __future__ import annotations

import codecs
import json
import os
import random
import shutil
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

_VALUES: tuple[Any, ...] = (
    *(None, 0, -1, 1.5, True, [], {}, "", " \n", [[]], {"a": {"b": []}}, ["text"], 10**17, float("nan")),
    "x" * 100_000,
)
_TEXTS = (
    *("\ud800", "half \udfff pair", "\x00", "\x1b[2J\x1b[31mred", "\u202egnp.exe", "\ufeffmark", "\r", "a\u2028b"),
    *("e" + "\u0301" * 500, "\U0001f468\u200d\U0001f469\u200d\U0001f467", "<script>alert(1)</script>", "[red]{{ x }}"),
)
_PATHS = (
    *("../outside/bait.png", "img/../../outside/bait.png", "..", ".", "/", "/etc/hostname", "//etc/hostname"),
    *("C:\\bait.png", "..\\outside\\bait.png", "img", "dataset/all_train.json", "a\x00b", "~/bait.png", "\udcff.png"),
    *("x" * 5000, "x/" * 3000, "img/\u202e.png", "file:///etc/hostname", "./././img", "dataset/../img/none.png"),
)
_RAW = (
    *("[" * 100_000, '{"id":' * 100_000, "9" * 10_000, "NaN", "-Infinity", '"\\ud800"', "1e999999", "nul", "'single'"),
    *('{"question":"a","question":"b","model_response":"c","sd_response":"d"}', "[1,,2]", "// remark\n1"),
)
_PLACE = "@@here@@"
_MODEST = 2**26  # bytes: what a mutation may read


class NothingLeftError(Exception):
    """There is no file of the kind that a mutation spoils, after those before it."""


class Spoiler:
    """Spoils one copy of a benchmark. `outside` is a folder beside it, with bait.png and bait.json in it."""

    def __init__(self, copy: Path, outside: Path, rng: random.Random) -> None:
        self._copy = copy
        self._outside = outside
        self._rng = rng

    def drop_field(self) -> None:
        self._change(lambda holder, key: holder.__delitem__(key))

    def change_type(self) -> None:
        self._change(lambda holder, key: holder.__setitem__(key, self._rng.choice(_VALUES)))

    def odd_text(self) -> None:
        self._change(lambda holder, key: holder.__setitem__(key, self._rng.choice(_TEXTS)))

    def bad_path(self) -> None:
        key = self._rng.choice(("image_path", "SDImage_path", "image_id"))
        self._change_record(lambda record: record.__setitem__(key, self._rng.choice(_PATHS)))

    def misspell(self) -> None:
        def rename(holder: Any, key: Any) -> None:
            if isinstance(holder, dict):
                holder[f"{key[:-2]}1{key[-2:]}"] = holder.pop(key)

        self._change(rename)

    def repeat_record(self) -> None:
        self._change_records(lambda records: records.append(self._rng.choice(records)))

    def other_shape(self) -> None:
        """JSON lines, a JSON object, or a list in a list."""
        shapes: tuple[Callable[[Any], str], ...] = (
            lambda value: "\n".join(json.dumps(record) for record in value),
            lambda value: json.dumps({"data": value}, indent=2),
            lambda value: json.dumps([value]),
        )
        path, value = self._load()
        if isinstance(value, list):
            path.write_text(self._rng.choice(shapes)(value))

    def raw_value(self) -> None:
        """Something in a value's place that JSON does not allow, or that a parser may choke on."""
        self._change(lambda holder, key: holder.__setitem__(key, _PLACE), self._rng.choice(_RAW))

    def truncate_json(self) -> None:
        self._rewrite(self._document(), lambda content: content[: self._rng.randrange(len(content) + 1)])

    def flip_json_bytes(self) -> None:
        self._rewrite(self._document(), self._flipped)

    def encode_json(self) -> None:
        """A byte order mark, or UTF-16."""
        encodings: tuple[Callable[[bytes], bytes], ...] = (
            lambda content: codecs.BOM_UTF8 + content,
            lambda content: content.decode(errors="ignore").encode("utf-16"),
        )
        self._rewrite(self._document(), self._rng.choice(encodings))

    def truncate_image(self) -> None:
        self._rewrite(self._image(), lambda content: content[: self._rng.randrange(len(content) + 1)])

    def flip_image_bytes(self) -> None:
        self._rewrite(self._image(), self._flipped)

    def huge_image(self) -> None:
        self._replace(self._image(), png(*self._rng.choice(((20_000, 20_000), (2**31 - 1, 1), (1, 60_000_000)))))

    def bomb(self) -> None:
        """A small file that unpacks to much: a text chunk of 20 MB."""
        text = chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(20_000_000), 9))
        self._replace(self._image(), png(8, 8, text))

    def sparse_file(self) -> None:
        """A terabyte of nothing."""
        path = self._any_file()
        self._replace(path, b"")
        os.truncate(path, 2**40)

    def link_outside(self) -> None:
        path = self._any_file()
        path.unlink()
        path.symlink_to(self._outside / ("bait.json" if path.suffix == ".json" else "bait.png"))

    def link_folder_outside(self) -> None:
        folder = self._any_file().parent
        if folder != self._copy:
            shutil.rmtree(folder)
            folder.symlink_to(self._outside)

    def link_to_itself(self) -> None:
        path = self._any_file()
        path.unlink()
        path.symlink_to(path.name)

    def pipe(self) -> None:
        path = self._any_file()
        path.unlink()
        os.mkfifo(path)

    def folder_for_file(self) -> None:
        path = self._any_file()
        path.unlink()
        path.mkdir()

    def delete(self) -> None:
        self._any_file().unlink()

    def copy_image(self) -> None:
        """One picture over another: the same in two splits, or harmful and safe."""
        source = self._image()
        if source.stat().st_size < _MODEST:
            self._replace(self._image(), source.read_bytes())

    def _one_of(self, *suffixes: str) -> Path:
        found = (Path(place, name) for place, _, names in os.walk(self._copy) for name in names)
        files = sorted(path for path in found if path.suffix in suffixes and path.is_file() and not path.is_symlink())
        if not files:
            raise NothingLeftError
        return self._rng.choice(files)

    def _document(self) -> Path:
        return self._one_of(".json")

    def _image(self) -> Path:
        return self._one_of(".png", ".jpg")

    def _any_file(self) -> Path:
        return self._document() if self._rng.random() < 0.3 else self._image()

    def _load(self) -> tuple[Path, Any]:
        """A document and its value; None where an earlier mutation broke it, or made it a terabyte."""
        path = self._document()
        if path.stat().st_size >= _MODEST:
            return path, None
        try:
            return path, json.loads(path.read_bytes())
        except (ValueError, RecursionError):
            return path, None

    def _change_records(self, change: Callable[[list[Any]], None]) -> None:
        path, value = self._load()
        if isinstance(value, list) and value:
            change(value)
            path.write_text(json.dumps(value))

    def _change_record(self, change: Callable[[dict[str, Any]], None]) -> None:
        def change_one(records: list[Any]) -> None:
            record = self._rng.choice(records)
            if isinstance(record, dict):
                change(record)

        self._change_records(change_one)

    def _change(self, change: Callable[[Any, Any], None], here: str | None = None) -> None:
        """Change a value anywhere in a document; `here` is the raw text to stand where `_PLACE` was put."""
        path, value = self._load()
        places = list(_places(value))
        if places:
            change(*self._rng.choice(places))
            text = json.dumps(value)
            path.write_text(text if here is None else text.replace(f'"{_PLACE}"', here))

    def _flipped(self, content: bytes) -> bytes:
        spoiled = bytearray(content)
        for _ in range(self._rng.randint(1, 8) if content else 0):
            spoiled[self._rng.randrange(len(spoiled))] = self._rng.randrange(256)
        return bytes(spoiled)

    def _rewrite(self, path: Path, change: Callable[[bytes], bytes]) -> None:
        if path.stat().st_size < _MODEST:
            self._replace(path, change(path.read_bytes()))

    def _replace(self, path: Path, content: bytes) -> None:
        path.unlink()
        path.write_bytes(content)


MUTATIONS = tuple(name for name in vars(Spoiler) if not name.startswith("_"))


def png(width: int, height: int, before_pixels: bytes = b"") -> bytes:
    """A PNG file whose header claims a size, with pixels for its first row only."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(bytes(1 + 3 * min(width, 1000))))
    return b"\x89PNG\r\n\x1a\n" + header + before_pixels + pixels + chunk(b"IEND", b"")


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Each container below a value, with each of its keys."""
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from _places(value[key])

"""What is looked at before any example is asked."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import pytest

from safeeraser.errors import UserError
from safeeraser.models.chat import ChatTokenizer
from safeeraser.models.prepare import check_examples
from tests import tiny_random
from tests.metrics.records import example


def test_a_picture_that_is_a_bomb_by_its_header_is_named(tmp_path: Path) -> None:
    """Pillow's error for it is no OSError and no ValueError."""
    parts = ((b"IHDR", struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(b"0")))
    chunks = (
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in parts
    )
    path = tmp_path / "bomb.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    with pytest.raises(UserError, match=r"bomb\.png: a decompression bomb"):
        check_examples(ChatTokenizer.of(tiny_random.load()), [example("forget", image=path)])

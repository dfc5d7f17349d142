"""Pictures are decoded within limits, by known decoders, and fail with a message."""

import struct
import zlib
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from safeeraser.benchmarks.reading import images
from safeeraser.benchmarks.reading.images import ImageError, decode_rgb, open_rgb
from safeeraser.benchmarks.tools.mutations import chunk, png


@pytest.mark.parametrize("format", images.FORMATS)
@pytest.mark.parametrize("mode", ["RGB", "L", "1"])
def test_every_known_format_becomes_rgb(format: str, mode: str) -> None:
    buffer = BytesIO()
    Image.new(mode, (20, 10), 1).save(buffer, format)
    image = decode_rgb(buffer.getvalue())
    assert (image.mode, image.size) == ("RGB", (20, 10))


def test_the_first_frame_of_an_animation() -> None:
    buffer = BytesIO()
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    assert decode_rgb(buffer.getvalue()).getpixel((0, 0)) == (255, 0, 0)


@pytest.mark.parametrize("format", images.FORMATS)
def test_a_truncated_file_is_an_error(format: str) -> None:
    buffer = BytesIO()
    Image.effect_noise((64, 64), 80).convert("RGB").save(buffer, format)
    with pytest.raises(ImageError, match="does not decode"):
        decode_rgb(buffer.getvalue()[: buffer.tell() // 2])


@pytest.mark.parametrize(
    ("size", "said"),
    [((20_000, 20_000), "decompression bomb"), ((10_000, 10_000), "10,000 x 10,000"), ((1, 50_000_001), "at most")],
)
def test_a_large_picture_is_refused_by_its_header(
    monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], said: str
) -> None:
    monkeypatch.setattr(Image.Image, "convert", lambda *_: pytest.fail("decoded"))
    with pytest.raises(ImageError, match=said):
        decode_rgb(png(*size))


def test_text_that_unpacks_to_much_is_refused() -> None:
    bomb = chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(5_000_000), 9))
    with pytest.raises(ImageError):
        decode_rgb(png(8, 8, bomb))


def test_other_decoders_are_not_asked() -> None:
    buffer = BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "TIFF")
    with pytest.raises(ImageError, match="known format"):
        decode_rgb(buffer.getvalue())


def test_files_beyond_the_limit_are_not_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "MAX_BYTES", 100)
    (tmp_path / "a.png").write_bytes(bytes(101))
    with pytest.raises(ImageError, match="more than 100 bytes"):
        open_rgb(tmp_path / "a.png")


@pytest.mark.parametrize("name", ["none.png", "."])
def test_no_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(ImageError, match="cannot be read"):
        open_rgb(tmp_path / name)


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    with pytest.raises(ImageError, match="empty"):
        open_rgb(tmp_path / "a.png")


def test_a_lying_header_is_an_error() -> None:
    """A BMP that claims a negative width."""
    buffer = BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "BMP")
    content = bytearray(buffer.getvalue())
    content[18:22] = struct.pack("<i", -8)
    with pytest.raises(ImageError):
        decode_rgb(bytes(content))

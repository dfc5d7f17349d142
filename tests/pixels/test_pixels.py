"""Pictures are decoded within limits, by known decoders, as a viewer shows them, and fail with a message."""

import base64
import os
import struct
import zlib
from io import BytesIO
from pathlib import Path

import pytest
import torch
from PIL import Image

from safeeraser import files, pixels
from safeeraser.generation.run import generate
from safeeraser.generation.settings import GenerateSettings
from safeeraser.models.chat import ChatTokenizer
from safeeraser.pixels import ImageError, decode_rgb, open_rgb
from safeeraser.records import Example, Split, Stream
from safeeraser.unlearning.run import check as check_training
from safeeraser.unlearning.settings import UnlearnSettings
from tests import tiny_random
from tests.pixels.odd import ODD, PLAIN, chunk, png


@pytest.mark.parametrize("format", pixels.FORMATS)
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


@pytest.mark.parametrize("format", pixels.FORMATS)
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
    monkeypatch.setattr(Image.Image, "load", lambda *_: pytest.fail("decoded"))
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
    monkeypatch.setattr(pixels, "MAX_BYTES", 100)
    (tmp_path / "a.png").write_bytes(bytes(101))
    with pytest.raises(ImageError, match="more than 100 bytes"):
        open_rgb(tmp_path / "a.png")


@pytest.mark.parametrize("name", ["none.png", ".", "nul\0.png", "x" * 300])
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


@pytest.mark.parametrize("kind", ODD)
def test_an_odd_picture_is_what_a_viewer_shows(kind: str, tmp_path: Path) -> None:
    (tmp_path / "odd").write_bytes(ODD[kind])
    (tmp_path / "plain").write_bytes(PLAIN[kind])
    odd, plain = open_rgb(tmp_path / "odd"), open_rgb(tmp_path / "plain")
    assert (odd.mode, odd.size) == ("RGB", plain.size)
    assert max(abs(a - b) for a, b in zip(odd.tobytes(), plain.tobytes(), strict=True)) <= 3


@pytest.mark.parametrize("kind", ODD)
def test_training_sees_an_odd_picture_as_a_viewer_does(kind: str, tmp_path: Path) -> None:
    (tmp_path / "odd").write_bytes(ODD[kind])
    (tmp_path / "plain").write_bytes(PLAIN[kind])
    seen = ChatTokenizer.of(tiny_random.load()).pixels([tmp_path / "odd", tmp_path / "plain"])["pixel_values"]
    torch.testing.assert_close(seen[0], seen[1], atol=0.06, rtol=0)


def _file(kind: str) -> bytes:
    buffer = BytesIO()
    if kind == "large":
        return png(9_000, 6_000)
    if kind == "truncated":
        Image.effect_noise((64, 64), 80).convert("RGB").save(buffer, "JPEG")
        return buffer.getvalue()[: buffer.tell() // 2]
    Image.new("RGB", (8, 8)).save(buffer, kind)
    return buffer.getvalue()


REFUSED = ("EPS", "TIFF", "AVIF", "large", "truncated")


@pytest.mark.parametrize("kind", REFUSED)
def test_a_refused_picture_is_named_before_generation_and_training(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "named.png"
    path.write_bytes(_file(kind))
    one = Example(id="a", split=Split.TRAIN, stream=Stream.FORGET, image=path, question="What?", answer="It.")
    with pytest.raises(ImageError, match=r"named\.png"):
        generate(tiny_random.load(), [one], GenerateSettings(max_new_tokens=1), tmp_path / "answers.jsonl")
    assert not (tmp_path / "answers.jsonl").exists()
    with pytest.raises(ImageError, match=r"named\.png"):
        check_training([one], ["No."], "po", UnlearnSettings(steps=1))
    with pytest.raises(ImageError, match=r"named\.png"):
        pixels.data_url(path)


def test_checked_pictures_are_not_decoded_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAFEERASER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(files, "SETTLED", -1.0)
    path = tmp_path / "a.png"
    Image.new("RGB", (8, 8)).save(path)
    pixels.check([path])
    with monkeypatch.context() as patch:
        patch.setattr(pixels, "decode_rgb", lambda _: pytest.fail("decoded again"))
        pixels.check([path])
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(ImageError, match=r"a\.png"):
        pixels.check([path])


def test_a_picture_changed_in_place_with_its_size_and_time_is_looked_at_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAFEERASER_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "a.png"
    Image.new("RGB", (8, 8)).save(path)
    pixels.check([path])
    then = path.stat()
    path.write_bytes(bytes(then.st_size))
    os.utime(path, ns=(then.st_atime_ns, then.st_mtime_ns))
    with pytest.raises(ImageError, match=r"a\.png"):
        pixels.check([path])


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("SAFEERASER_CACHE", str(tmp_path / "file" / "cache"))
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    pixels.check([tmp_path / "a.png"])


def test_a_picture_that_was_never_fetched_is_called_so(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    with pytest.raises(ImageError, match=r"a\.png: a Git LFS pointer"):
        open_rgb(tmp_path / "a.png")


def test_every_bad_picture_is_named_at_once(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.png" for number in range(25)]
    with pytest.raises(ImageError, match=r"0\.png: cannot be read(.|\n)*19\.png(.|\n)*and 5 more"):
        pixels.check(paths)


@pytest.mark.parametrize("kind", ODD)
def test_a_server_is_sent_what_a_viewer_shows(kind: str, tmp_path: Path) -> None:
    (tmp_path / "odd.jpg").write_bytes(ODD[kind])
    form, _, content = pixels.data_url(tmp_path / "odd.jpg").partition(";base64,")
    assert form == "data:image/png"  # whatever its name says
    assert decode_rgb(base64.b64decode(content)).tobytes() == open_rgb(tmp_path / "odd.jpg").tobytes()


def test_a_server_is_sent_an_ordinary_picture_as_it_is(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8), "red").save(tmp_path / "a.png", "JPEG")
    form, _, content = pixels.data_url(tmp_path / "a.png").partition(";base64,")
    assert (form, base64.b64decode(content)) == ("data:image/jpeg", (tmp_path / "a.png").read_bytes())

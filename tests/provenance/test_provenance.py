"""What is written down about where a result comes from."""

import hashlib
import subprocess
from pathlib import Path

import pytest

from safeeraser import provenance


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

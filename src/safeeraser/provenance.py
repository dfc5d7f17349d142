"""Where a result comes from: package versions, the git commit, hashes. Standard library only."""

from __future__ import annotations

import hashlib
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("safeeraser", "torch", "transformers", "peft", "accelerate", "tokenizers")


def versions() -> dict[str, str]:
    """Installed versions of the packages that results depend on."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def git_commit() -> str | None:
    """The commit of the checkout this package runs from, with "+dirty" where tracked files differ; None outside one."""
    folder = Path(__file__).parent
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit + ("+dirty" if changed else "")


def text_hash(text: str) -> str:
    """sha256 of a text, 16 hex digits."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def answer_hash(answer: str) -> str:
    """What tells a model's answer from another: the first 12 hex digits of its sha256."""
    return hashlib.sha256(answer.encode(errors="replace")).hexdigest()[:12]


def file_hash(path: Path) -> str:
    """sha256 of a file, 16 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

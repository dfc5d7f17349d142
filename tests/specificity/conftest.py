"""lmms-eval for these tests: the real one where it is installed, else the small stand-in beside this file."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.append(str(HERE / "harness"))  # last, so that an installed lmms-eval comes first


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the local task; its data file is named relative to the current folder."""
    monkeypatch.chdir(HERE / "task")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "datasets"))
    return HERE / "task"

"""lmms-eval for these tests: the real one where it is installed, else the small stand-in beside this file."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

HERE = Path(__file__).parent
REAL = find_spec("lmms_eval") is not None
if not REAL:
    sys.path.append(str(HERE / "harness"))


def pytest_report_header() -> str:
    """Which of the two the tests are about to use."""
    return f"lmms-eval: {'the installed one' if REAL else 'the stand-in of tests/specificity/harness'}"


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the local task; its data file is named relative to the current folder."""
    monkeypatch.chdir(HERE / "task")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "datasets"))
    return HERE / "task"

"""A fresh copy of the small benchmark for each test."""

import shutil
from pathlib import Path

import pytest

from tests.benchmarks import small


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small benchmark; tests must leave it as it is."""
    return small.write(tmp_path_factory.mktemp("original") / "small")


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    """A copy of the small benchmark, to be changed."""
    return Path(shutil.copytree(original, tmp_path / "small"))


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache for this test alone: where pictures out of tables, archives and the Hub are kept."""
    monkeypatch.setenv("SAFEERASER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"

"""Worlds that several test folders share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch: the tests' own processes share the cores already

from tests.runs.pipeline import world
from tests.runs.pipeline.world import World


@pytest.fixture
def fresh(tmp_path: Path) -> World:
    """A world in which nothing has run yet."""
    return world.make(tmp_path)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A world with a finished run in `run`; tests must leave it as it is."""
    made = world.make(tmp_path_factory.mktemp("finished"))
    made.run()
    return made

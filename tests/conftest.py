"""Worlds that several test folders share."""

from __future__ import annotations

from pathlib import Path

import pytest

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

"""One finished run for all tests that only look, and the parts to make others."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from safeeraser import config, pipeline
from safeeraser.cli import wiring
from safeeraser.config import RunSettings
from safeeraser.models.load import LoadedModel
from safeeraser.pipeline import Kit
from safeeraser.records import Metric
from tests.pipeline import world


@dataclass
class World:
    """A model, a benchmark and a run's configuration in one folder."""

    folder: Path
    model: Path
    data: Path
    config: Path
    said: list[str] = field(default_factory=list)

    def settings(self, *overrides: str) -> RunSettings:
        return config.load(self.config, overrides, wiring.names())

    def kit(self, settings: RunSettings | None = None) -> Kit:
        return wiring.kit(settings or self.settings())

    def run(self, *overrides: str) -> list[Metric]:
        settings = self.settings(*overrides)
        return pipeline.run(settings, self.kit(settings), self.said.append)


def make(folder: Path) -> World:
    model, data = world.write_model(folder / "model"), world.write_data(folder / "data")
    return World(folder, model, data, world.write_config(folder, model, data))


@pytest.fixture
def fresh(tmp_path: Path) -> World:
    """A world in which nothing has run yet."""
    return make(tmp_path)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A world with a finished run in `run`; tests must leave it as it is."""
    made = make(tmp_path_factory.mktemp("finished"))
    made.run()
    return made


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with its bytes."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def no_model(_: Path | None) -> LoadedModel:
    raise AssertionError("no model is needed here")

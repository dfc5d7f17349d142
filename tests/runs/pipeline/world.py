"""A run over a model of random weights and the small benchmark: seconds, not minutes."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

from safeeraser import runs as config
from safeeraser.cli.names import names
from safeeraser.models.load import LoadedModel
from safeeraser.records import Metric
from safeeraser.runs import RunSettings, pipeline
from safeeraser.runs.folder import RunFolder
from safeeraser.runs.kit import Kit
from tests import tiny_random
from tests.benchmarks import small


@dataclass
class World:
    """A model, a benchmark and a run's configuration in one folder."""

    folder: Path
    model: Path
    data: Path
    config: Path
    said: list[str] = field(default_factory=list)

    def settings(self, *overrides: str) -> RunSettings:
        return config.load(self.config, overrides, names())

    def kit(self, settings: RunSettings | None = None) -> Kit:
        wanted = settings or self.settings()
        return Kit.of(wanted, RunFolder(wanted.folder))

    def run(self, *overrides: str) -> list[Metric]:
        settings = self.settings(*overrides)
        return pipeline.run(settings, self.kit(settings), self.said.append)


def make(folder: Path) -> World:
    """A world in which nothing has run yet."""
    model, data = write_model(folder / "model"), write_data(folder / "data")
    return World(folder, model, data, write_config(folder, model, data))


def write_model(folder: Path, seed: int = 0) -> Path:
    """Write the random model with its processor."""
    loaded = tiny_random.load(seed=seed)
    loaded.model.save_pretrained(folder)
    loaded.processor.save_pretrained(folder)
    return folder


def write_data(folder: Path) -> Path:
    """Write the small benchmark."""
    return small.write(folder)


def write_config(folder: Path, model: Path, data: Path) -> Path:
    """Write the configuration of a run with that model and benchmark."""
    keys = {
        "model": str(model),
        "output": str(folder / "run"),
        "data": f"{{benchmark: released, path: {data}}}",
        "unlearn": "{steps: 2, batch_size: 2, lora_r: 2, learning_rate: 0.01}",
        "generate": "{max_new_tokens: 4, batch_size: 8}",
        "limits": "{efficacy: 4, generality: 4, decoupled: 4, retain: 4}",
    }
    path = folder / "run.yaml"
    path.write_text("".join(f"{key}: {value}\n" for key, value in keys.items()))
    return path


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with its bytes; the lock beside a folder stays, so that two can never hold it."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix != ".lock")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def untimed(found: dict[str, bytes]) -> dict[str, bytes]:
    """Contents without how long stages took: no file of it, and no table in reports and pages."""
    return {name: _untimed(Path(name).name, content) for name, content in found.items()}


def _untimed(name: str, content: bytes) -> bytes:
    if name == "costs.json":
        return b""
    if name.endswith(".html"):
        return re.sub(rb'"costs":\s*\{.*?"note":', b"", content, flags=re.DOTALL)
    if name.endswith(".md"):
        return re.sub(rb"## What it took\n.*?(?=\n## |\Z)", b"", content, flags=re.DOTALL)
    if name == "report.json":
        return json.dumps({key: value for key, value in json.loads(content).items() if key != "costs"}).encode()
    return content


def no_model(_: Path | None, dtype: str = "auto") -> LoadedModel:  # noqa: ARG001  as the kit calls it
    raise AssertionError("no model is needed here")

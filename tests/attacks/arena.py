"""A random model with the small benchmark's parts, ready to be attacked."""

from __future__ import annotations

from pathlib import Path

from safeeraser.attacks.base import Arena, Target
from safeeraser.attacks.parts import split
from safeeraser.benchmarks.released.read import read
from safeeraser.generation.settings import GenerateSettings
from safeeraser.models.load import LoadedModel
from tests import tiny_random
from tests.benchmarks import small


def make(folder: Path, loaded: LoadedModel | None = None, target: Target | None = None) -> Arena:
    """An arena with every measured question of the small benchmark."""
    benchmark = read(small.write(folder / "data"))
    parts = split(benchmark.examples)
    return Arena(
        target=target or Target(name="vanilla"),
        loaded=loaded or tiny_random.load(),
        parts=parts,
        questions=parts.measured,
        refusals=benchmark.refusals,
        settings=GenerateSettings(max_new_tokens=4, batch_size=8),
        pictures=folder / "attacks",
        seed=0,
    )

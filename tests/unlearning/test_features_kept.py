"""What is kept of pictures changes how long training takes, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from safeeraser.generation.run import generate
from safeeraser.generation.settings import GenerateSettings
from safeeraser.records import Example
from safeeraser.unlearning.run import unlearn
from safeeraser.unlearning.settings import UnlearnSettings
from tests import tiny_random
from tests.interruption import interrupted_at

SETTINGS = UnlearnSettings(steps=6, batch_size=2, learning_rate=1e-2, lora_r=4, lora_alpha=8, save_steps=2)
Train = Callable[..., bytes]


@pytest.fixture
def examples(tmp_path: Path) -> list[Example]:
    return tiny_random.examples(tmp_path)


@pytest.fixture
def train(examples: list[Example], tmp_path: Path) -> Train:
    """Trains as a process that starts anew does, with a tower that rounds as in bfloat16; the adapter's file."""

    def run(name: str, settings: UnlearnSettings = SETTINGS) -> bytes:
        loaded = tiny_random.load()
        tiny_random.round_by_batch(loaded)
        adapter = unlearn(loaded, examples, tiny_random.REFUSALS, "po+pd", settings, tmp_path / name)
        return (adapter / "adapter_model.safetensors").read_bytes()

    return run


@pytest.mark.parametrize("projector", ["frozen", "full", "lora", "sine"])
def test_going_on_equals_never_stopping(train: Train, projector: Any) -> None:
    """Every picture comes back in a later epoch, when it was seen in other company before the stop.

    What is seen for the first time, after the stop again, must not take random numbers from dropout.
    """
    settings = SETTINGS.changed(projector=projector, lora_dropout=0.2)
    straight = train("straight", settings)
    with interrupted_at(5):
        train("stopped", settings)
    assert train("stopped", settings) == straight


@pytest.mark.parametrize("projector", ["frozen", "full"])
def test_pictures_seen_before_training_are_not_looked_at_again(
    projector: Any, examples: list[Example], tmp_path: Path
) -> None:
    """In bfloat16, in which training runs under autocast; a projector that is trained has features of its own."""
    settings = SETTINGS.changed(projector=projector)
    adapters, looks = [], []
    for name in ("asked", "not asked"):
        loaded = tiny_random.load(dtype=torch.bfloat16)
        seen: list[int] = []
        loaded.model.model.vision_tower.register_forward_hook(lambda *_, seen=seen: seen.append(1))
        if name == "asked":
            generate(loaded, examples, GenerateSettings(max_new_tokens=1), tmp_path / "answers.jsonl")
            seen.clear()
        adapter = unlearn(loaded, examples, tiny_random.REFUSALS, "po+pd", settings, tmp_path / name)
        adapters.append((adapter / "adapter_model.safetensors").read_bytes())
        looks.append(len(seen))
    assert adapters[0] == adapters[1]
    assert looks[1] > 1
    assert looks[0] == (0 if projector == "frozen" else looks[1])

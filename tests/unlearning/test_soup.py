"""A soup: the mean of several trainings, each with a seed of its own."""

from __future__ import annotations

import json
from pathlib import Path
from unittest.mock import patch

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from safeeraser.errors import UserError
from safeeraser.models.merging import merged
from safeeraser.objectives import find
from safeeraser.records import Example
from safeeraser.unlearning import run
from safeeraser.unlearning.run import unlearn
from safeeraser.unlearning.settings import UnlearnSettings
from tests import tiny_random

SETTINGS = UnlearnSettings(steps=2, batch_size=4, learning_rate=1e-2, lora_r=4, lora_alpha=8, lora_dropout=0.1)


@pytest.fixture
def examples(tmp_path: Path) -> list[Example]:
    return tiny_random.examples(tmp_path)


def soup(examples: list[Example], folder: Path, **changes: object) -> Path:
    settings = SETTINGS.changed(**changes)
    return unlearn(tiny_random.load(), examples, tiny_random.REFUSALS, "po+pd+soup", settings, folder)


def members(adapter: Path) -> list[Path]:
    return sorted((adapter.parent / "members").glob("*/adapter"))


def seeds(adapter: Path) -> list[int]:
    manifests = [json.loads((each.parent / "manifest.json").read_text()) for each in members(adapter)]
    assert {each["inputs"]["method"] for each in manifests} == {"po+pd"}
    return [each["inputs"]["settings"]["seed"] for each in manifests]


def changed(adapter: Path) -> dict[str, Tensor]:
    """By how much an adapter changes the model's weights."""
    before, loaded = tiny_random.load().model.state_dict(), tiny_random.load()
    after = merged(loaded.model, loaded.processor, adapter).state_dict()
    return {name: after[name] - before[name] for name in before}


@pytest.mark.parametrize("projector", ["frozen", "full"])
def test_each_weight_changes_by_the_mean_of_what_the_members_change(
    examples: list[Example], tmp_path: Path, projector: str
) -> None:
    adapter = soup(examples, tmp_path / "soup", options={"soup": 2}, projector=projector)
    one, other = (changed(each) for each in members(adapter))
    mean = {name: (one[name] + other[name]) / 2 for name in one}
    torch.testing.assert_close(changed(adapter), mean, atol=1e-6, rtol=1e-4)
    assert any((one[name] - other[name]).abs().max() > 1e-4 for name in one)


def test_no_training_is_in_two_soups(examples: list[Example], tmp_path: Path) -> None:
    first, again, other = (
        seeds(soup(examples, tmp_path / name, seed=seed)) for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert first == again
    assert len({*first, *other}) == 6


def test_a_soup_that_was_stopped_goes_on_to_the_same_bytes(examples: list[Example], tmp_path: Path) -> None:
    whole = soup(examples, tmp_path / "whole")

    with (
        patch.object(run, "write_soup", side_effect=KeyboardInterrupt),
        pytest.raises(KeyboardInterrupt),
    ):
        soup(examples, tmp_path / "stopped")
    stopped = tmp_path / "stopped"
    assert not (stopped / "adapter").exists()
    with pytest.raises(UserError, match="learning_rate"):
        soup(examples, stopped, learning_rate=1e-3)
    adapter = soup(examples, stopped)
    assert (adapter / "adapter_model.safetensors").read_bytes() == (whole / "adapter_model.safetensors").read_bytes()
    manifest = json.loads((stopped / "manifest.json").read_text())
    assert manifest["steps"] == 3 * SETTINGS.steps
    assert manifest["inputs"]["soup"] == 3
    assert "| `soup` | `3` |" in (adapter / "README.md").read_text()
    assert len(next(iter(load_file(adapter / "adapter_model.safetensors").values()))) == 3 * SETTINGS.lora_r


@pytest.mark.parametrize("count", [1, 2.5, 0])
def test_a_soup_has_a_whole_number_of_trainings(count: float) -> None:
    with pytest.raises(UserError, match=r"option soup must be a whole number of trainings, from 2 on, not"):
        find("po+soup").bind(soup=count)

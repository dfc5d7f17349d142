"""Adapters beside a model: each is on when it is asked for, and the model is as it was when none is."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file

from safeeraser.errors import UserError
from safeeraser.models.beside import Beside
from safeeraser.models.load import LoadedModel
from safeeraser.models.merging import probe
from tests.tiny_random import load


@pytest.fixture
def loaded() -> LoadedModel:
    return load()


def adapter(folder: Path, seed: int) -> Path:
    model = get_peft_model(load().model, LoraConfig(r=2, target_modules=["q_proj"]))
    torch.manual_seed(seed)
    with torch.no_grad():
        for weight in (each for each in model.parameters() if each.requires_grad):
            weight.add_(torch.randn_like(weight))
    model.save_pretrained(folder)
    return folder


def logits(loaded: LoadedModel) -> torch.Tensor:
    return probe(loaded.model, loaded.processor, pictured=False)


def test_each_adapter_is_on_when_it_is_asked_for(loaded: LoadedModel, tmp_path: Path) -> None:
    before = logits(loaded)
    beside = Beside(loaded, {"po": adapter(tmp_path / "po", 1), "po+pd": adapter(tmp_path / "po.pd", 2)})

    seen = {}
    for name in ("po", "po+pd", None):
        with beside.switched(name):
            seen[name] = logits(loaded)

    assert torch.equal(seen[None], before)
    assert not torch.allclose(seen["po"], before)
    assert not torch.allclose(seen["po"], seen["po+pd"])
    with beside.switched("po"):
        assert torch.equal(logits(loaded), seen["po"])


def test_a_folder_without_an_adapter_is_named(loaded: LoadedModel, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no adapter here"):
        Beside(loaded, {"po": tmp_path})


@pytest.mark.parametrize("kind", ["stranger", "missing"])
def test_an_adapter_that_fits_in_part_is_refused(kind: str, loaded: LoadedModel, tmp_path: Path) -> None:
    """As where it is merged: PEFT puts on what fits and leaves the rest."""
    adapter(tmp_path / "whole", 1)
    file = adapter(tmp_path / "po", 2) / "adapter_model.safetensors"
    weights = load_file(file)
    if kind == "stranger":
        weights["base_model.model.nowhere.lora_A.weight"] = torch.ones(2, 2)
    else:
        weights.pop(next(iter(weights)))
    save_file(weights, file, metadata={"format": "pt"})
    said = "1 tensors have no place" if kind == "stranger" else "missing"
    with pytest.raises(UserError, match=rf"po: .*{said}"):
        Beside(loaded, {"po": tmp_path / "po"})
    with pytest.raises(UserError, match=rf"po: .*{said}"):
        Beside(load(), {"whole": tmp_path / "whole", "po": tmp_path / "po"})

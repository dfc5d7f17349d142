"""Loading from a folder, with an adapter or without, and what cannot be loaded."""

from pathlib import Path

import pytest
import torch

from safeeraser.errors import UserError
from safeeraser.models.load import load
from safeeraser.models.lora import attach
from tests import tiny_random

IDS = torch.arange(10, 30)[None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    loaded = tiny_random.load()
    loaded.model.save_pretrained(tmp_path / "model")
    loaded.processor.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def test_a_folder_gives_the_same_model(folder: Path) -> None:
    loaded = load(str(folder), dtype="float32", device="cpu")
    assert loaded.name == str(folder)
    torch.testing.assert_close(loaded.model(IDS).logits, tiny_random.load().model(IDS).logits, rtol=0, atol=0)
    assert not any(parameter.requires_grad for parameter in loaded.model.parameters())
    assert not loaded.model.training


def test_an_adapter_is_merged(folder: Path, tmp_path: Path) -> None:
    adapted = attach(tiny_random.load().model, r=4, alpha=8, dropout=0.0)
    for name, parameter in adapted.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter, std=0.2)
    adapted.save_pretrained(str(tmp_path / "adapter"), save_embedding_layers=False)
    loaded = load(str(folder), adapter=tmp_path / "adapter", dtype=torch.float32, device="cpu")
    torch.testing.assert_close(loaded.model(IDS).logits, adapted(IDS).logits, rtol=1e-4, atol=1e-4)
    assert (loaded.model(IDS).logits - tiny_random.load().model(IDS).logits).abs().max() > 0.1
    assert not any("lora" in name for name, _ in loaded.model.named_parameters())
    assert loaded.identity["adapter"] is not None
    assert {**loaded.identity, "adapter": None} == {
        "model": str(folder),
        "revision": None,
        "adapter": None,
        "dtype": "torch.float32",
    }


def test_what_cannot_be_loaded(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"unknown dtype 'bfloat'; did you mean 'bfloat16'"):
        load(str(folder), dtype="bfloat")
    with pytest.raises(UserError, match="unknown device 'gpu'"):
        load(str(folder), device="gpu")
    with pytest.raises(UserError, match="no adapter here"):
        load(str(folder), adapter=tmp_path)

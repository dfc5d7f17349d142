"""The trained weights: applied exactly, and refused when they are damaged or do not fit."""

import json
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import (
    AutoModelForImageTextToText,
    Dinov2Config,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
)

from safeeraser.models.tiny import assemble, weights


def _tiny(seed: int) -> LlavaForConditionalGeneration:
    torch.manual_seed(seed)
    config = LlavaConfig(
        vision_config=Dinov2Config(
            hidden_size=8, num_hidden_layers=1, num_attention_heads=2, image_size=28, patch_size=14
        ),
        text_config=LlamaConfig(
            vocab_size=32, hidden_size=8, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2
        ),
        image_token_index=31,
        vision_feature_layer=-1,
    )
    return LlavaForConditionalGeneration(config).eval()


def _inputs() -> dict[str, torch.Tensor]:
    pixels = torch.randn(1, 3, 28, 28, generator=torch.Generator().manual_seed(0))
    return {"input_ids": torch.tensor([[1, 31, 31, 31, 31, 2, 3]]), "pixel_values": pixels}


def _logits(model) -> torch.Tensor:
    with torch.no_grad():
        return model(**_inputs()).logits


@pytest.fixture
def trained(tmp_path) -> tuple[Path, torch.Tensor]:
    """Return a weights folder and the logits of the model it was made from."""
    model = _tiny(seed=0)
    adapted = get_peft_model(model, LoraConfig(r=2, target_modules=r".*language_model.*\.(q_proj|up_proj)"))
    torch.manual_seed(7)
    for name, parameter in adapted.named_parameters():
        if "lora_" in name or "multi_modal_projector" in name:
            torch.nn.init.normal_(parameter, std=0.3)
    folder = tmp_path / "weights"
    adapted.save_pretrained(folder / "adapter")
    save_file(model.model.multi_modal_projector.state_dict(), folder / "projector.safetensors")
    weights.seal(folder, steps=3)
    return folder, _logits(adapted)


def test_applied_to_the_base_they_give_the_trained_model(trained):
    folder, expected = trained
    applied = weights.apply(_tiny(seed=0), folder)
    assert not torch.allclose(_logits(_tiny(seed=0)), expected, atol=1e-3)
    assert torch.allclose(_logits(applied), expected, atol=1e-5)
    assert isinstance(applied, LlavaForConditionalGeneration)
    assert applied.state_dict().keys() == _tiny(seed=0).state_dict().keys()


def test_the_manifest_names_every_file_and_the_facts(trained):
    manifest = json.loads((trained[0] / "manifest.json").read_text())
    assert manifest["steps"] == 3
    assert set(manifest["files"]) == {
        "projector.safetensors",
        "adapter/adapter_config.json",
        "adapter/adapter_model.safetensors",
    }


def _flip_a_byte(folder: Path) -> None:
    file = folder / "projector.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


def _remove_a_file(folder: Path) -> None:
    (folder / "projector.safetensors").unlink()


@pytest.mark.parametrize("damage", [_flip_a_byte, _remove_a_file])
def test_damaged_weights_are_refused(trained, damage):
    damage(trained[0])
    with pytest.raises(weights.WeightsError, match=r"reinstall safeeraser: projector\.safetensors"):
        weights.apply(_tiny(seed=0), trained[0])


def test_missing_weights_are_refused(tmp_path):
    with pytest.raises(weights.WeightsError, match=r"manifest\.json is missing"):
        weights.apply(_tiny(seed=0), tmp_path)


def test_an_adapter_of_the_bare_language_model_is_refused(trained):
    folder, _ = trained
    lora = LoraConfig(r=2, target_modules=["q_proj"])
    get_peft_model(_tiny(seed=0).model.language_model, lora).save_pretrained(folder / "adapter")
    weights.seal(folder)
    misfit = pytest.raises(weights.WeightsError, match="not an adapter of this model")
    with misfit, pytest.warns(UserWarning, match="missing adapter keys"):
        weights.apply(_tiny(seed=0), folder)


def test_the_cached_model_has_the_weights_and_is_built_anew_when_they_change(trained, processor, tmp_path, monkeypatch):
    folder, expected = trained
    package = tmp_path / "package" / "weights"
    package.parent.mkdir()
    monkeypatch.setattr(assemble, "fetch", lambda part, _: Path(part.member))
    monkeypatch.setattr(assemble, "assemble", lambda *_: (_tiny(seed=0), processor))
    with pytest.raises(weights.WeightsError, match=r"manifest\.json is missing"):
        assemble.path(tmp_path, package)
    folder.rename(package)
    first = assemble.path(tmp_path, package)
    assert torch.allclose(_logits(AutoModelForImageTextToText.from_pretrained(first)), expected, atol=1e-5)
    assert assemble.path(tmp_path, package) == first
    weights.seal(package, steps=4)
    assert assemble.path(tmp_path, package) != first

"""SineProject: the projector moves by a sine of what is trained, and the adapter on disk is an ordinary one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from torch import Tensor

from safeeraser.models.chat import ChatTokenizer, pad
from safeeraser.models.load import LoadedModel, load
from safeeraser.models.lora import attach, detach
from safeeraser.models.sine import materialise
from safeeraser.models.vision import VisionFeatures
from safeeraser.unlearning.run import unlearn
from safeeraser.unlearning.settings import UnlearnSettings
from tests import tiny_random
from tests.interruption import interrupted_at

SETTINGS = UnlearnSettings(
    steps=4, batch_size=2, learning_rate=0.1, weight_decay=0.0, lora_r=2, lora_alpha=4, projector="sine"
)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    return next(each.image for each in tiny_random.examples(tmp_path) if each.image)


@torch.no_grad()
def logits(model: torch.nn.Module, loaded: LoadedModel, picture: Path) -> Tensor:
    chat = ChatTokenizer.of(loaded)
    row = chat.prompt("What is it?", picture)
    ids, mask = pad([row], chat.pad_id)
    return model(**VisionFeatures(loaded.model, chat).batch(ids, mask, [picture])).logits


def shifts(adapted: PeftModel) -> dict[str, Tensor]:
    return {name: value for name, value in adapted.named_parameters() if "multi_modal_projector" in name}


def weights(adapter: Path) -> dict[str, Tensor]:
    return load_file(adapter / "adapter_model.safetensors")


def test_it_starts_as_the_original_and_moves_by_the_sine(picture: Path) -> None:
    loaded = tiny_random.load()
    base = {name: value.clone() for name, value in loaded.model.model.multi_modal_projector.named_parameters()}
    before = logits(loaded.model, loaded, picture)
    adapted = attach(loaded.model, r=2, alpha=4, dropout=0.0, projector="sine").eval()
    torch.testing.assert_close(logits(adapted, loaded, picture), before, rtol=0, atol=0)
    trained = {name: value for name, value in shifts(adapted).items() if value.requires_grad}
    assert len(trained) == sum(value.dim() > 1 for value in base.values()) == 2  # the matrices of two linear layers
    for value in trained.values():
        assert not value.any()
        value.data.fill_(torch.pi / 6)
    assert (logits(adapted, loaded, picture) - before).abs().max() > 0.1
    with adapted.disable_adapter():
        torch.testing.assert_close(logits(adapted, loaded, picture), before, rtol=0, atol=0)
    assert {name for name, value in shifts(adapted).items() if value.requires_grad} == set(trained)
    settled = materialise(adapted, adapted.state_dict())
    moved = {name: value for name, value in settled.items() if "modules_to_save" in name}
    assert len(moved) == len(base)
    for name, value in moved.items():
        start = base[name.partition("modules_to_save.default.")[2]]
        torch.testing.assert_close(value, start + 0.5 if start.dim() > 1 else start)


def test_no_weight_moves_by_more_than_one(tmp_path: Path) -> None:
    adapter = unlearn(
        tiny_random.load(),
        tiny_random.examples(tmp_path),
        tiny_random.REFUSALS,
        "po",
        SETTINGS.changed(learning_rate=50.0),
        tmp_path / "run",
    )
    base = tiny_random.load().model.model.multi_modal_projector.state_dict()
    saved = {key.partition("multi_modal_projector.")[2]: value for key, value in weights(adapter).items()}
    differences = [(value - base[key]).abs().max() for key, value in saved.items() if key]
    assert len(differences) == len(base)
    assert 0.5 < max(differences) <= 1


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # PEFT's
def test_anyone_can_load_what_was_trained(tmp_path: Path, picture: Path) -> None:
    loaded = tiny_random.load()
    before = logits(loaded.model, loaded, picture)
    adapter = unlearn(loaded, tiny_random.examples(tmp_path), tiny_random.REFUSALS, "po", SETTINGS, tmp_path / "run")
    torch.testing.assert_close(logits(loaded.model, loaded, picture), before, rtol=0, atol=0)
    plain = tiny_random.load()
    peft = PeftModel.from_pretrained(plain.model, str(adapter)).eval()
    with_peft = logits(peft, plain, picture)
    assert (with_peft - before).abs().max() > 0.01
    loaded.model.save_pretrained(tmp_path / "model")
    loaded.processor.save_pretrained(tmp_path / "model")
    merged = load(str(tmp_path / "model"), adapter=adapter, dtype="float32", device="cpu")
    torch.testing.assert_close(logits(merged.model, merged, picture), with_peft, rtol=1e-4, atol=1e-4)


def test_a_stopped_run_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    examples = tiny_random.examples(tmp_path)
    settings = SETTINGS.changed(save_steps=2)

    def train(name: str) -> dict[str, Tensor]:
        run = tmp_path / name
        return weights(unlearn(tiny_random.load(), examples, tiny_random.REFUSALS, "po", settings, run))

    straight = train("straight")
    with interrupted_at(3):
        train("stopped")
    torch.testing.assert_close(train("stopped"), straight, rtol=0, atol=0)


def test_detaching_gives_the_original_back(picture: Path) -> None:
    loaded = tiny_random.load()
    before = logits(loaded.model, loaded, picture)
    adapted = attach(loaded.model, r=2, alpha=4, dropout=0.0, projector="sine")
    for value in shifts(adapted).values():
        if value.requires_grad:
            value.data.add_(1)
    detach(adapted)
    assert "parametrizations" not in "".join(loaded.model.state_dict())
    torch.testing.assert_close(logits(loaded.model, loaded, picture), before, rtol=0, atol=0)

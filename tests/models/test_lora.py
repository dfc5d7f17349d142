"""The adapter trains the language model's linears and nothing else."""

import re

import pytest
import torch

from safeeraser.errors import UserError
from safeeraser.models.lora import Projector, attach, language_targets
from tests import tiny_random

LINEARS = {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}


def test_targets_are_the_language_models_linears() -> None:
    model = tiny_random.load().model
    pattern = language_targets(model)
    matched = {name for name, _ in model.named_modules() if re.fullmatch(pattern, name)}
    assert {name.rpartition(".")[2] for name in matched} == LINEARS
    assert len(matched) == 2 * len(LINEARS)
    assert all(name.startswith("model.language_model.layers.") for name in matched)


def test_targets_of_the_last_layers() -> None:
    model = tiny_random.load().model
    pattern = language_targets(model, 1)
    matched = [name for name, _ in model.named_modules() if re.fullmatch(pattern, name)]
    assert len(matched) == len(LINEARS)
    assert all(".layers.1." in name for name in matched)
    with pytest.raises(UserError, match="3 layers asked for, the language model has 2"):
        language_targets(model, 3)


@pytest.mark.parametrize(
    ("projector", "trained"),
    [
        ("frozen", {"language_model"}),
        ("full", {"language_model", "projector"}),
        ("lora", {"language_model", "projector"}),
    ],
)
def test_what_is_trained(projector: Projector, trained: set[str]) -> None:
    model = tiny_random.load(dtype=torch.bfloat16).model
    adapted = attach(model, r=4, alpha=8, dropout=0.0, projector=projector)
    names = {name for name, parameter in adapted.named_parameters() if parameter.requires_grad}
    assert {
        part for part in ("language_model", "projector", "vision_tower") for name in names if part in name
    } == trained
    assert {parameter.dtype for parameter in adapted.parameters() if parameter.requires_grad} == {torch.float32}
    assert {parameter.dtype for parameter in adapted.parameters() if not parameter.requires_grad} == {torch.bfloat16}
    assert any("lora_" in name and "projector" in name for name in names) == (projector == "lora")


def test_a_model_without_a_known_projector() -> None:
    model = tiny_random.load().model.model.language_model
    with pytest.raises(UserError, match="no projector found to train"):
        attach(model, r=4, alpha=8, dropout=0.0, projector="full")
    with pytest.raises(UserError, match="no language model found inside"):
        attach(model, r=4, alpha=8, dropout=0.0)

"""What sharded training needs, as far as one process can show: pictures worked out within the forward; launch files."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from accelerate.commands.config.config_args import ClusterConfig
from accelerate.commands.launch import launch_command_parser

from safeeraser.models.chat import ChatTokenizer
from safeeraser.models.lora import attach
from safeeraser.models.vision import VisionFeatures
from safeeraser.objectives import Target
from safeeraser.unlearning.collate import Collator
from safeeraser.unlearning.rows import TrainingRows
from safeeraser.unlearning.sharding import VisionInForward, weights_are_sharded
from safeeraser.unlearning.streams import stream_outputs
from tests import tiny_random
from tests.docs.generate import ROOT

CONFIGS = sorted((ROOT / "configs" / "accelerate").glob("*.yaml"))


def test_pictures_worked_out_within_the_forward(tmp_path: Path) -> None:
    loaded = tiny_random.load()
    chat = ChatTokenizer.of(loaded)
    rows = TrainingRows(tiny_random.examples(tmp_path), tiny_random.REFUSALS, tuple(Target), seed=0, length=3)
    batch = Collator(chat)([rows[number] for number in range(3)])
    adapted = attach(loaded.model, r=2, alpha=2, dropout=0.0)
    calls: list[int] = []
    tower = loaded.model.get_encoder(modality="image")
    tower.register_forward_hook(lambda *_: calls.append(1))
    outside = stream_outputs(adapted, batch, VisionFeatures(loaded.model, chat))
    calls.clear()
    within = VisionInForward(loaded.model, chat, adapted)
    for _ in range(2):
        found = stream_outputs(adapted, batch, within)
        for target, stream in outside.items():
            assert torch.equal(found[target].logprobs, stream.logprobs)
    assert len(calls) == 2  # nothing is kept, or processes would wait for each other


@pytest.mark.parametrize(
    ("environment", "sharded"),
    [
        ({}, False),
        ({"ACCELERATE_USE_FSDP": "true"}, True),
        ({"ACCELERATE_USE_DEEPSPEED": "true", "ACCELERATE_DEEPSPEED_ZERO_STAGE": "2"}, False),
        ({"ACCELERATE_USE_DEEPSPEED": "true", "ACCELERATE_DEEPSPEED_ZERO_STAGE": "3"}, True),
    ],
)
def test_what_accelerate_launch_was_asked_for(
    environment: dict[str, str], sharded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert weights_are_sharded() is sharded


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_launch_files_are_read_by_accelerate_and_explained(path: Path) -> None:
    assert ClusterConfig.from_yaml_file(yaml_file=str(path)).num_processes == 2  # unknown keys are an error
    assert f"configs/accelerate/{path.name}" in (ROOT / "docs" / "training.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_what_launch_files_say_of_sharding_are_options_of_accelerate(path: Path) -> None:
    """It takes any key there without a word, so that a misspelt one would have no effect."""
    file = ClusterConfig.from_yaml_file(yaml_file=str(path))
    known = vars(launch_command_parser().parse_args(["script.py"]))
    assert {*file.fsdp_config, *file.deepspeed_config} <= known.keys()
    assert bool(file.fsdp_config) == path.name.startswith("fsdp")
    assert bool(file.deepspeed_config) == path.name.startswith("zero")


def test_there_are_launch_files() -> None:
    assert {path.stem for path in CONFIGS} == {"cpu", "ddp", "fsdp2", "zero2", "zero3"}

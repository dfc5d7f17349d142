"""FSDP2 on two CPU processes, joined by gloo: trains, saves and resumes the adapter that one process makes."""

from __future__ import annotations

import shutil
import signal
import time
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file

from safeeraser.models.load import LoadedModel
from tests import tiny_random
from tests.benchmarks import small
from tests.docs.generate import ROOT
from tests.launching import errors, launch
from tests.models import families

STEPS = 6
FAMILIES = {"llava": tiny_random.load, "qwen2.5-vl": families.qwen2_5_vl}


def environment() -> dict[str, str]:
    """What `accelerate launch` makes of configs/accelerate/fsdp2.yaml."""
    file = yaml.safe_load((ROOT / "configs" / "accelerate" / "fsdp2.yaml").read_text())
    keys = {name.upper(): str(value) for name, value in file["fsdp_config"].items()}
    return keys | {"ACCELERATE_USE_FSDP": "true"}


def words(folder: Path, output: str, method: str) -> list[object]:
    keys = [f"steps={STEPS}", "save_steps=2", "batch_size=2", "lora_r=2", "lora_dropout=0", "projector=full"]
    place = ["--data", folder / "data", "--model", folder / "model", "--output", folder / output]
    return ["unlearn", *place, "--dtype", "float32", "--method", method, "learning_rate=0.01", *keys]


def weights(output: Path) -> dict[str, torch.Tensor]:
    return load_file(output / "adapter" / "adapter_model.safetensors")


def write(made: LoadedModel, folder: Path) -> None:
    """A world for these commands."""
    small.write(folder / "data")
    made.model.save_pretrained(folder / "model")
    made.processor.save_pretrained(folder / "model")


@pytest.mark.slow
@pytest.mark.parametrize(("family", "method"), [("llava", "po+pd"), ("llava", "kl+pd"), ("qwen2.5-vl", "po+pd")])
def test_two_processes_that_share_the_weights_train_as_one(family: str, method: str, tmp_path: Path) -> None:
    write(FAMILIES[family](), tmp_path)
    errors(launch(words(tmp_path, "one", method), 1))
    errors(launch(words(tmp_path, "two", method), **environment()))
    torch.testing.assert_close(weights(tmp_path / "two"), weights(tmp_path / "one"), rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_a_killed_training_that_shares_the_weights_goes_on(tmp_path: Path) -> None:
    write(tiny_random.load(), tmp_path)
    errors(launch(words(tmp_path, "straight", "po+pd"), **environment()))
    first, second = launch(words(tmp_path, "killed", "po+pd"), **environment())
    while not list((tmp_path / "killed").glob("checkpoints/checkpoint-2/whole.json")):
        assert first.poll() is None, first.communicate()[1]
        time.sleep(0.05)
    second.send_signal(signal.SIGKILL)
    first.communicate(timeout=60)
    second.communicate()
    kept = shutil.copytree(tmp_path / "killed", tmp_path / "kept")
    assert not (kept / "adapter").exists()
    errors(launch(words(tmp_path, "killed", "po+pd"), **environment()))
    for file in ("adapter/adapter_model.safetensors", "loss.jsonl"):
        assert (tmp_path / "killed" / file).read_bytes() == (tmp_path / "straight" / file).read_bytes()

"""FSDP2 on two CPU processes, joined by gloo: trains, saves and resumes the adapter that one process makes."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file

from tests.docs.generate import ROOT
from tests.launching import errors, launch


def environment() -> dict[str, str]:
    """What `accelerate launch` makes of configs/accelerate/fsdp2.yaml."""
    file = yaml.safe_load((ROOT / "configs" / "accelerate" / "fsdp2.yaml").read_text())
    keys = {name.upper(): str(value) for name, value in file["fsdp_config"].items()}
    return keys | {"ACCELERATE_USE_FSDP": "true"}


def start(output: Path, method: str, family: str = "llava", count: int = 2) -> list[subprocess.Popen[str]]:
    """One process, or two that share the weights."""
    shared = environment() if count > 1 else {}
    return launch([family, method, output], count, module="tests.unlearning.sharded_worker", **shared)


def weights(output: Path) -> dict[str, torch.Tensor]:
    return load_file(output / "adapter" / "adapter_model.safetensors")


@pytest.mark.slow
@pytest.mark.parametrize(("family", "method"), [("llava", "po+pd"), ("llava", "kl+pd"), ("qwen2.5-vl", "po+pd")])
def test_two_processes_that_share_the_weights_train_as_one(family: str, method: str, tmp_path: Path) -> None:
    for count in (1, 2):
        errors(start(tmp_path / f"by-{count}", method, family, count))
    torch.testing.assert_close(weights(tmp_path / "by-2"), weights(tmp_path / "by-1"), rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_a_killed_training_that_shares_the_weights_goes_on(tmp_path: Path) -> None:
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    errors(start(straight, "po+pd"))
    first, second = start(killed, "po+pd")
    while not list(killed.glob("checkpoints/checkpoint-2/whole.json")):
        assert first.poll() is None, first.communicate()[1]
        time.sleep(0.05)
    second.kill()
    first.communicate(timeout=60)
    second.communicate()
    assert not (killed / "adapter").exists()
    errors(start(killed, "po+pd"))
    for file in ("adapter/adapter_model.safetensors", "loss.jsonl"):
        assert (killed / file).read_bytes() == (straight / file).read_bytes()

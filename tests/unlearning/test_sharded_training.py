"""FSDP2 and DeepSpeed's ZeRO on two CPU processes, by the files of configs/accelerate: the adapter of one process.

DeepSpeed compiles its messages between CPU processes when it is first used, which takes two minutes.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch
from safetensors.torch import load_file

from tests.docs.generate import ROOT
from tests.launching import errors, free_port

SHARDED = ("fsdp2", "zero2", "zero3")


def start(output: Path, method: str, family: str = "llava", sharded: str | None = None) -> subprocess.Popen[str]:
    """Train in one process, or in the two that accelerate starts for such a file."""
    alone = [sys.executable]
    file = ROOT / "configs" / "accelerate" / f"{sharded}.yaml"
    shared = ["accelerate", "launch", "--config_file", str(file), "--main_process_port", str(free_port())]
    command = [*(shared if sharded else alone), "-m", "tests.unlearning.sharded_worker", family, method, str(output)]
    there = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = os.environ | {"PATH": there, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=ROOT, env=environment, text=True, start_new_session=True, **pipes)


def need(sharded: str) -> None:
    """Skip where DeepSpeed, which no extra brings, is not installed."""
    if sharded.startswith("zero"):
        pytest.importorskip("deepspeed")


def weights(output: Path) -> dict[str, torch.Tensor]:
    return load_file(output / "adapter" / "adapter_model.safetensors")


@pytest.mark.slow
@pytest.mark.parametrize("sharded", SHARDED)
@pytest.mark.parametrize(("family", "method"), [("llava", "po+pd"), ("llava", "kl+pd"), ("qwen2.5-vl", "po+pd")])
def test_two_processes_that_share_the_weights_train_as_one(
    sharded: str, family: str, method: str, tmp_path: Path
) -> None:
    need(sharded)
    errors([start(tmp_path / "one", method, family), start(tmp_path / "two", method, family, sharded)])
    torch.testing.assert_close(weights(tmp_path / "two"), weights(tmp_path / "one"), rtol=1e-5, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("sharded", SHARDED)
def test_a_killed_training_that_shares_the_weights_goes_on(sharded: str, tmp_path: Path) -> None:
    need(sharded)
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    errors([start(straight, "po+pd", sharded=sharded)])
    process = start(killed, "po+pd", sharded=sharded)
    while not list(killed.glob("checkpoints/checkpoint-2/whole.json")):
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.05)
    psutil.Process(process.pid).children()[-1].kill()
    process.communicate(timeout=60)
    assert process.returncode
    assert not (killed / "adapter").exists()
    errors([start(killed, "po+pd", sharded=sharded)])
    for file in ("adapter/adapter_model.safetensors", "loss.jsonl"):
        assert (killed / file).read_bytes() == (straight / file).read_bytes()

"""Two real processes, joined by gloo, write the file that one process writes."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

from tests.docs.generate import ROOT
from tests.generation import worker


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def launch(count: int, *arguments: Path) -> None:
    """Start the processes as torchrun does, and wait for them."""
    common = {"WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port()}
    command = [sys.executable, "-m", "tests.generation.worker", *map(str, arguments)]
    started = []
    for rank in range(count):
        rank_of = common | {"RANK": rank, "LOCAL_RANK": rank, "OMP_NUM_THREADS": 1, "CUDA_VISIBLE_DEVICES": ""}
        environment = os.environ | {name: str(value) for name, value in rank_of.items()}
        started.append(subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True))
    errors = [process.communicate(timeout=300)[1] for process in started]
    assert [process.returncode for process in started] == [0] * count, "\n".join(errors)
    assert "generate" in errors[0]
    assert "generate" not in errors[1], "only the main process shows how far it is"


def test_two_processes_write_the_file_of_one(tmp_path: Path) -> None:
    one = tmp_path / "one.jsonl"
    worker.main(tmp_path / "alone", [one])
    whole = one.read_bytes()

    two, resumed = tmp_path / "two.jsonl", tmp_path / "resumed.jsonl"
    resumed.write_bytes(whole[: len(whole) * 2 // 5])  # what one process had written when it was killed
    shutil.copy(tmp_path / "one.jsonl.meta.json", tmp_path / "resumed.jsonl.meta.json")
    launch(2, tmp_path / "together", two, resumed)
    assert two.read_bytes() == whole
    assert resumed.read_bytes() == whole

    two.write_bytes(whole[: len(whole) // 2])  # and the other way round
    worker.main(tmp_path / "again", [two])
    assert two.read_bytes() == whole

"""Several processes of one command, told of each other as torchrun does it, joined by gloo."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Sequence

from tests.docs.generate import ROOT


def launch(
    arguments: Sequence[object], count: int = 2, module: str = "safeeraser", **environment: str
) -> list[subprocess.Popen[str]]:
    """Start `python -m module` with these arguments so many times; the first is the main process."""
    started = []
    for told in told_of_each_other(count, **environment):
        command = [sys.executable, "-m", module, *map(str, arguments)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        started.append(subprocess.Popen(command, cwd=ROOT, env=os.environ | told, text=True, **pipes))
    return started


def told_of_each_other(count: int, **environment: str) -> list[dict[str, str]]:
    """The environment of each of so many processes."""
    common = {"WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port()}
    common |= {"OMP_NUM_THREADS": 1, "CUDA_VISIBLE_DEVICES": "", **environment}
    ranks = [{**common, "RANK": rank, "LOCAL_RANK": rank} for rank in range(count)]
    return [{name: str(value) for name, value in each.items()} for each in ranks]


def errors(started: Sequence[subprocess.Popen[str]], seconds: float = 300) -> list[str]:
    """What each process has said on stderr, once all have ended well."""
    said = [process.communicate(timeout=seconds)[1] for process in started]
    assert [process.returncode for process in started] == [0] * len(started), "\n".join(said)
    return said


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

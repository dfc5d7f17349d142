"""Which of several processes this one is, as torchrun, `accelerate launch` or Slurm's srun have told it."""

from __future__ import annotations

import os
import re

_TOLD = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")


def rank() -> int:
    """The number of this process, 0 for the main one, which alone writes files and says how far it is."""
    return int(os.environ.get("RANK") or by_slurm().get("RANK") or 0)


def is_main() -> bool:
    """Whether this is the main process, or the only one."""
    return rank() == 0


def forget() -> None:
    """Go on as if this process alone had been started."""
    for name in (*_TOLD, "SLURM_STEP_NUM_TASKS"):
        os.environ.pop(name, None)


def by_slurm() -> dict[str, str]:
    """What torch's launchers tell a process, from what srun tells it; nothing where it is told, or srun started one.

    A batch script has the job's number of tasks too, but not the step's: there, nobody else has been started.
    """
    told = os.environ
    if "RANK" in told or int(told.get("SLURM_STEP_NUM_TASKS") or 1) == 1:
        return {}
    port = 20_000 + (int(told["SLURM_JOB_ID"]) + int(told.get("SLURM_STEP_ID") or 0)) % 20_000
    return {
        "RANK": told["SLURM_PROCID"],
        "WORLD_SIZE": told["SLURM_STEP_NUM_TASKS"],
        "LOCAL_RANK": told["SLURM_LOCALID"],
        "LOCAL_WORLD_SIZE": re.findall(r"\d+", told["SLURM_STEP_TASKS_PER_NODE"])[0],
        "MASTER_ADDR": told.get("MASTER_ADDR") or first_host(told["SLURM_STEP_NODELIST"]),
        "MASTER_PORT": told.get("MASTER_PORT") or str(port),
    }


def first_host(nodes: str) -> str:
    """The first of Slurm's list of nodes.

    >>> first_host("gpu[07-09,12],login"), first_host("node3"), first_host("a,b")
    ('gpu07', 'node3', 'a')
    """
    return re.sub(r"\[(\d+)[^]]*\]", r"\1", nodes).split(",")[0]

"""What a process is told by its launcher."""

from __future__ import annotations

import pytest

from safeeraser import launched

STEP = {
    "SLURM_JOB_ID": "4711",
    "SLURM_STEP_ID": "0",
    "SLURM_STEP_NUM_TASKS": "8",
    "SLURM_STEP_NODELIST": "gpu[07-08]",
    "SLURM_STEP_TASKS_PER_NODE": "4(x2)",
    "SLURM_PROCID": "5",
    "SLURM_LOCALID": "1",
}
TOLD = {
    "RANK": "5",
    "WORLD_SIZE": "8",
    "LOCAL_RANK": "1",
    "LOCAL_WORLD_SIZE": "4",
    "MASTER_ADDR": "gpu07",
    "MASTER_PORT": "24711",
}


@pytest.mark.parametrize(
    ("environment", "told", "rank"),
    [
        ({}, {}, 0),
        (STEP, TOLD, 5),
        (STEP | {"MASTER_ADDR": "here", "MASTER_PORT": "1"}, TOLD | {"MASTER_ADDR": "here", "MASTER_PORT": "1"}, 5),
        (STEP | {"RANK": "2"}, {}, 2),  # torchrun, started by srun on each node
        (STEP | {"SLURM_STEP_NUM_TASKS": "1"}, {}, 0),
        ({"SLURM_JOB_ID": "4711", "SLURM_NTASKS": "8", "SLURM_PROCID": "0"}, {}, 0),  # a batch script
    ],
)
def test_what_launchers_tell(
    environment: dict[str, str], told: dict[str, str], rank: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in {*STEP, *TOLD, "SLURM_NTASKS"}:
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert launched.by_slurm() == told
    assert (launched.rank(), launched.is_main()) == (rank, rank == 0)
    launched.forget()
    assert launched.is_main()
    assert not launched.by_slurm()

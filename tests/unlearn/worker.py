"""What each of several processes does in `test_training_processes`: `python -m tests.unlearn.worker FOLDER`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch

from safeeraser.models.processes import processes
from safeeraser.unlearn import UnlearnSettings, unlearn
from tests import tiny_random

COMMON = {"steps": 3, "batch_size": 4, "learning_rate": 1e-2, "lora_r": 4, "lora_alpha": 8}
RUNS = {
    "pd": ("po+pd", {"lora_dropout": 0.0, "projector": "full"}),
    "kl": ("kl+pd", {"lora_dropout": 0.0, "batch_size": 1, "accumulation": 4, "gradient_checkpointing": True}),
    "rmu": ("rmu", {"lora_dropout": 0.0, "options": {"layer": 0}}),
    "dropout": ("po", {"lora_dropout": 0.5, "steps": 2}),
}
"""Name -> method and settings."""


def train(folder: Path, pictures: Path) -> None:
    """Train every run with however many processes there are."""
    examples = tiny_random.examples(pictures)
    for name, (method, options) in RUNS.items():
        settings = UnlearnSettings(**{**COMMON, **options})
        unlearn(tiny_random.load(), examples, tiny_random.REFUSALS, method, settings, folder / name)


if __name__ == "__main__":
    root = Path(sys.argv[1])
    mine = root / f"pictures-{processes().process_index}"
    mine.mkdir()
    train(root, mine)
    seen = {"processes": processes().num_processes, "seed": torch.initial_seed()}
    (root / f"process-{processes().process_index}.json").write_text(json.dumps(seen))

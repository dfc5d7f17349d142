"""What each of several processes does in `test_training_processes`: `python -m tests.unlearning.worker FOLDER`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

from safeeraser.models.processes import processes
from safeeraser.records import read_jsonl
from safeeraser.unlearning import neutral
from safeeraser.unlearning.dual import DualAscent
from safeeraser.unlearning.run import unlearn
from safeeraser.unlearning.settings import UnlearnSettings
from tests import tiny_random

COMMON = {"steps": 3, "batch_size": 4, "learning_rate": 1e-2, "lora_r": 4, "lora_alpha": 8}
RUNS = {
    "pd": ("po+pd", {"lora_dropout": 0.0, "projector": "full"}),
    "kl": (
        "kl+pd",
        {
            "lora_dropout": 0.0,
            "batch_size": 1,
            "accumulation": 4,
            "gradient_checkpointing": True,
            "pack_pictures": True,
        },
    ),
    "sam": (  # at times a process's retain row has no picture, and leaves the projector out
        "po+sam",
        {"lora_dropout": 0.0, "projector": "full", "batch_size": 2, "learning_rate": 1e-3, "options": {"rho": 0.5}},
    ),
    "rmu": ("rmu", {"lora_dropout": 0.0, "options": {"layer": 0}, "pack_pictures": True}),
    "pdu": (
        "pdu+pd",
        {
            "lora_dropout": 0.0,
            "batch_size": 2,
            "accumulation": 2,
            "learning_rate": 3e-3,  # Adam makes rounding as large as the rate where a gradient is nearly zero
            "options": {"eps": 2.0, "eta": 0.25},
        },
    ),
    "neutral": ("po+pd+neutral", {"lora_dropout": 0.0, "learning_rate": 1e-3, "options": {"neutral": 1}}),
    "soup": ("po+pd+swa+soup", {"lora_dropout": 0.0, "learning_rate": 1e-3, "options": {"soup": 2}}),
    "dropout": ("po", {"lora_dropout": 0.5, "steps": 2}),
}
"""Name -> method and settings."""


def train(folder: Path, pictures: Path) -> list[float]:
    """Train every run with however many processes there are; the multipliers of pdu in this one, after each step."""
    examples = tiny_random.examples(pictures)
    steps = {"steps": int(told)} if (told := os.environ.get("SAFEERASER_TEST_STEPS")) else {}
    with _multipliers() as found, answers_that_end(tokens=6):
        for name, (method, options) in RUNS.items():
            settings = UnlearnSettings(**{**COMMON, **options, **steps})
            unlearn(tiny_random.load(), examples, tiny_random.REFUSALS, method, settings, folder / name)
    return found


@contextmanager
def answers_that_end(tokens: int, **changes: str) -> Iterator[None]:
    """A random model seldom ends what it says about a neutral picture: it is let off, or says what `changes` say."""
    answer, told = neutral.ANSWER.changed(max_new_tokens=tokens), {"finish": "stop", **changes}
    with (
        patch.object(neutral, "ANSWER", answer),
        patch.object(neutral, "read_jsonl", lambda *of: [replace(each, **told) for each in read_jsonl(*of)]),
    ):
        yield


@contextmanager
def _multipliers() -> Iterator[list[float]]:
    """Fills with every weight that dual ascent comes to."""
    raise_weights = DualAscent.on_step_end
    found: list[float] = []

    def noted(self: DualAscent, *given: Any, **more: Any) -> None:
        raise_weights(self, *given, **more)
        found.extend(self.weights.values())

    with patch.object(DualAscent, "on_step_end", noted):
        yield found


if __name__ == "__main__":
    root = Path(sys.argv[1])
    mine = root / f"pictures-{processes().process_index}"
    mine.mkdir()
    multipliers = train(root, mine)
    seen = {"processes": processes().num_processes, "seed": torch.initial_seed(), "multipliers": multipliers}
    (root / f"process-{processes().process_index}.json").write_text(json.dumps(seen))

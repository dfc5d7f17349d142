"""A process of `test_sharded_training`: `python -m tests.unlearning.sharded_worker FAMILY METHOD OUTPUT`."""

from __future__ import annotations

import sys
from pathlib import Path

from safeeraser.models.processes import processes
from safeeraser.unlearning.run import unlearn
from safeeraser.unlearning.settings import UnlearnSettings
from tests import tiny_random
from tests.models import families

FAMILIES = {"llava": tiny_random.load, "qwen2.5-vl": families.qwen2_5_vl}
SETTINGS = UnlearnSettings(
    steps=6, save_steps=2, batch_size=2, lora_r=2, lora_dropout=0.0, learning_rate=0.01, projector="full"
)

if __name__ == "__main__":
    family, method, output = sys.argv[1:]
    pictures = Path(f"{output}-pictures-{processes().process_index}")
    pictures.mkdir(exist_ok=True)
    examples = tiny_random.examples(pictures)
    unlearn(FAMILIES[family](), examples, tiny_random.REFUSALS, method, SETTINGS, Path(output))

"""What each of several processes does in `test_processes`: `python -m tests.generation.worker FOLDER OUTPUT...`."""

import sys
from pathlib import Path

from safeeraser.generation.run import generate
from safeeraser.generation.settings import GenerateSettings
from safeeraser.models.processes import processes
from tests import tiny_random

SETTINGS = GenerateSettings(batch_size=3, max_new_tokens=5, temperature=1.0, top_p=0.9, samples=2)


def main(folder: Path, outputs: list[Path]) -> None:
    """Answer the examples into each file, with however many processes there are."""
    pictures = folder / f"process-{processes().process_index}"
    pictures.mkdir(parents=True)
    for output in outputs:
        generate(tiny_random.load(), tiny_random.examples(pictures, 3), SETTINGS, output)


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])

"""On the embedded model in float32, a drawn answer depends on seed, example and sample number alone."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from safeeraser import runs as config
from safeeraser.generation.run import generate
from safeeraser.models.load import load
from safeeraser.records import Example, Generation, read_jsonl
from tests import tiny_random

PAPER = ("generate.protocol=paper", "generate.samples=2", "generate.max_new_tokens=8")


@pytest.mark.slow
def test_neither_batch_nor_order_changes_a_drawn_answer(tmp_path: Path) -> None:
    loaded, examples = load("tiny", dtype="float32", device="cpu"), tiny_random.examples(tmp_path, 2)
    settings = config.parse("", "run.yaml", PAPER).generate

    def answers(name: str, batch_size: int, asked: Sequence[Example]) -> dict[tuple[str, int], tuple[str, str]]:
        output = tmp_path / f"{name}.jsonl"
        generate(loaded, asked, settings.changed(batch_size=batch_size), output)
        return {(made.example_id, made.sample): (made.answer, made.finish) for made in read_jsonl(output, Generation)}

    alone = answers("alone", 1, examples)
    assert len(alone) == 2 * (3 + 3 * 2), "three answers to a forget example, two to each of the others"
    assert any(alone[each.id, 0] != alone[each.id, 1] for each in examples), "nothing was drawn"
    assert answers("batches", 4, examples) == alone
    assert answers("reversed", 4, examples[::-1]) == alone

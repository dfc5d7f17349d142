"""In float32 an answer depends on (seed, example, sample) only: not on the batch, the order or where a run stopped."""

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safeeraser.generation.run import generate
from safeeraser.generation.settings import GenerateSettings
from safeeraser.models.load import LoadedModel
from safeeraser.records import Example, Generation, read_jsonl
from tests import tiny_random

Answers = dict[tuple[str, int], tuple[str, str]]


class World:
    """A model, examples, and all their answers made at once."""

    def __init__(self, folder: Path) -> None:
        self.loaded: LoadedModel = tiny_random.load(seed=3)
        self.examples: list[Example] = tiny_random.examples(folder, 3)
        self.output = folder / "all.jsonl"
        generate(self.loaded, self.examples, sampled(batch_size=64), self.output)
        self.answers = answers(self.output)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"))


def sampled(batch_size: int) -> GenerateSettings:
    return GenerateSettings(
        batch_size=batch_size, max_new_tokens=5, temperature=1.0, top_p=0.9, samples=1, forget_samples=3
    )


def answers(output: Path) -> Answers:
    return {(made.example_id, made.sample): (made.answer, made.finish) for made in read_jsonl(output, Generation)}


@settings(max_examples=12, deadline=None, derandomize=True)
@given(data=st.data(), batch_size=st.integers(1, 20), cut=st.floats(0, 1))
def test_answers_do_not_depend_on_how_they_are_made(
    world: World, data: st.DataObject, batch_size: int, cut: float
) -> None:
    asked = data.draw(st.lists(st.sampled_from(world.examples), min_size=1, unique=True))
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "some.jsonl"
        generate(world.loaded, asked, sampled(batch_size), output)
        ids = {example.id for example in asked}
        assert answers(output) == {key: answer for key, answer in world.answers.items() if key[0] in ids}
        whole = output.read_bytes()
        output.write_bytes(whole[: int(cut * len(whole))])
        generate(world.loaded, asked, sampled(batch_size), output)
        assert output.read_bytes() == whole


def test_forget_examples_are_answered_more_often_where_asked(world: World) -> None:
    counts = [sum(key[0] == example.id for key in world.answers) for example in world.examples]
    assert counts == [3 if example.id.startswith("f") else 1 for example in world.examples]


def test_a_file_that_grew_in_another_order_ends_up_the_same(world: World, tmp_path: Path) -> None:
    output = tmp_path / "grown.jsonl"
    lines = world.output.read_bytes().splitlines(keepends=True)
    output.write_bytes(b"".join(lines[1::3]))
    shutil.copy(world.output.with_name("all.jsonl.meta.json"), output.with_name("grown.jsonl.meta.json"))
    generate(world.loaded, world.examples, sampled(batch_size=4), output)
    assert output.read_bytes() == world.output.read_bytes()

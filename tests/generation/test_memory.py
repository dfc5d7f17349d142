"""When memory runs out, the batch is halved and the run goes on; the answers are the same."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from safeeraser.errors import UserError
from safeeraser.generation.memory import Fitting
from safeeraser.generation.run import generate
from safeeraser.generation.settings import GenerateSettings
from safeeraser.models.load import LoadedModel
from safeeraser.records import Example
from tests import tiny_random

SETTINGS = GenerateSettings(batch_size=16, max_new_tokens=4)
CUDA = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
CPU = RuntimeError("[enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: can't allocate memory: 9999 bytes")


class Small:
    """A model on a device that holds only so many rows."""

    def __init__(self, model: Any, rows: int, error: RuntimeError) -> None:
        self._model, self._rows, self._error = model, rows, error
        self.batches: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def __call__(self, **inputs: Any) -> Any:
        return self._model(**inputs)

    def generate(self, **inputs: Any) -> Any:
        self.batches.append(len(inputs["input_ids"]))
        if self.batches[-1] > self._rows:
            raise self._error
        return self._model.generate(**inputs)


@pytest.fixture(scope="module")
def loaded() -> LoadedModel:
    return tiny_random.load()


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> list[Example]:
    return tiny_random.examples(tmp_path_factory.mktemp("pictures"), 5)


def small(loaded: LoadedModel, rows: int, error: RuntimeError) -> tuple[LoadedModel, list[int]]:
    model = Small(loaded.model, rows, error)
    return LoadedModel(model, loaded.processor, loaded.name), model.batches  # type: ignore[arg-type]  a stand-in


@pytest.mark.parametrize("error", [CUDA, CPU], ids=["cuda", "cpu"])
def test_out_of_memory_halves_the_batch(
    loaded: LoadedModel, examples: list[Example], tmp_path: Path, error: RuntimeError
) -> None:
    tight, batches = small(loaded, 5, error)
    generate(tight, examples, SETTINGS, tmp_path / "tight.jsonl")
    assert batches == [16, 8, 4, 4, 4, 4, 4]
    generate(loaded, examples, SETTINGS, tmp_path / "roomy.jsonl")
    assert (tmp_path / "tight.jsonl").read_bytes() == (tmp_path / "roomy.jsonl").read_bytes()


def test_an_example_that_does_not_fit_alone_is_named(
    loaded: LoadedModel, examples: list[Example], tmp_path: Path
) -> None:
    tight, batches = small(loaded, 0, CUDA)
    with pytest.raises(UserError, match=r"\('n\d', 0\): out of memory, even with nothing else in the batch"):
        generate(tight, examples, SETTINGS.changed(batch_size=4), tmp_path / "answers.jsonl")
    assert batches == [4, 2, 1]


def test_another_error_is_not_taken_for_a_lack_of_memory(
    loaded: LoadedModel, examples: list[Example], tmp_path: Path
) -> None:
    broken, batches = small(loaded, 0, RuntimeError("a tensor is on another device"))
    with pytest.raises(RuntimeError, match="another device"):
        generate(broken, examples, SETTINGS, tmp_path / "answers.jsonl")
    assert batches == [16]


def test_a_batch_goes_on_where_it_was_when_it_did_not_fit() -> None:
    pieces: list[list[int]] = []

    def double(numbers: Sequence[int]) -> list[int]:
        pieces.append(list(numbers))
        if sum(numbers) > 10:
            raise CUDA
        return [2 * number for number in numbers]

    fitting = Fitting(double, 4, name=str)
    assert fitting([1, 2, 3, 4, 9, 1, 5]) == [2, 4, 6, 8, 18, 2, 10]
    assert pieces == [[1, 2, 3, 4], [9, 1, 5], [9], [1], [5]]
    assert fitting([1, 2]) == [2, 4]
    assert pieces[-2:] == [[1], [2]]

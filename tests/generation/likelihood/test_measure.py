"""Likelihoods equal those worked out token by token, whatever the batch, and a stopped run goes on."""

from pathlib import Path
from typing import Any

import pytest
import torch

from safeeraser.errors import UserError
from safeeraser.generation.likelihood.candidates import Candidate, candidates
from safeeraser.generation.likelihood.measure import measure
from safeeraser.models.load import LoadedModel
from safeeraser.records import Example, Likelihood, read_jsonl
from tests import tiny_random


@pytest.fixture(scope="module")
def loaded() -> LoadedModel:
    return tiny_random.load()


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> list[Candidate]:
    examples = tiny_random.examples(tmp_path_factory.mktemp("pictures"), 3)
    return candidates(examples, examples, tiny_random.REFUSALS, contrasts=1)


@pytest.fixture(scope="module")
def output(loaded: LoadedModel, asked: list[Candidate], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("likelihoods") / "all.jsonl"
    measure(loaded, asked, path, batch_size=16)
    return path


def by_key(path: Path) -> dict[tuple[str, str, int], Likelihood]:
    return {(made.example_id, made.role, made.number): made for made in read_jsonl(path, Likelihood)}


def token_by_token(loaded: LoadedModel, example: Example, text: str) -> list[float]:
    """The answer's log-probabilities: the prompt by the processor's own hand, then one token after the other."""
    content: list[dict[str, Any]] = [{"type": "text", "text": example.question}]
    if example.image:
        content.insert(0, {"type": "image", "path": str(example.image)})
    inputs: Any = loaded.processor.apply_chat_template(
        [{"role": "user", "content": content}],
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
    )
    tokenizer: Any = loaded.processor.tokenizer
    ids, found = inputs.pop("input_ids"), []
    for token in [*tokenizer(text, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]:
        pictures = {name: inputs[name] for name in inputs if name == "pixel_values"}
        found.append(loaded.model(input_ids=ids, **pictures).logits[0, -1].log_softmax(-1)[token].item())
        ids = torch.cat([ids, torch.tensor([[token]])], dim=1)
    return found


def test_likelihoods_equal_those_of_one_token_after_the_other(
    loaded: LoadedModel, asked: list[Candidate], output: Path
) -> None:
    found = by_key(output)
    assert found.keys() == {each.key for each in asked}
    for each in asked[::3]:
        expected, made = token_by_token(loaded, each.example, each.text), found[each.key]
        assert made.text == each.text
        assert made.tokens == len(expected)
        assert made.logprob == pytest.approx(sum(expected), abs=1e-3)
        assert made.first == pytest.approx(expected[0], abs=1e-4)


def test_the_batch_does_not_matter(loaded: LoadedModel, asked: list[Candidate], output: Path, tmp_path: Path) -> None:
    measure(loaded, asked[::-1], tmp_path / "alone.jsonl", batch_size=1)
    together, alone = by_key(output), by_key(tmp_path / "alone.jsonl")
    assert alone.keys() == together.keys()
    for key, made in alone.items():
        assert made.logprob == pytest.approx(together[key].logprob, abs=1e-3)


def test_a_stopped_run_goes_on(loaded: LoadedModel, asked: list[Candidate], output: Path) -> None:
    whole = output.read_bytes()
    output.write_bytes(whole[: len(whole) // 2])
    measure(loaded, asked, output, batch_size=16)
    assert output.read_bytes() == whole


def test_a_file_of_other_candidates_is_left_alone(loaded: LoadedModel, asked: list[Candidate], output: Path) -> None:
    whole = output.read_bytes()
    with pytest.raises(UserError, match="made from other examples"):
        measure(loaded, asked[1:], output)
    assert output.read_bytes() == whole

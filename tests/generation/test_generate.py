"""Answers depend on the example and the settings only, and a stopped run goes on as if it had not stopped."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from safeeraser.errors import UserError
from safeeraser.generation import record_file
from safeeraser.generation.engine import _GumbelNoise, first_token_logprobs
from safeeraser.generation.run import generate
from safeeraser.generation.settings import GenerateSettings
from safeeraser.models.load import LoadedModel
from safeeraser.records import Example, Generation, read_jsonl
from tests import tiny_random

GREEDY = GenerateSettings(batch_size=4, max_new_tokens=6)
SAMPLED = GREEDY.changed(temperature=1.0, top_p=0.9, samples=2)


@pytest.fixture(scope="module")
def loaded() -> LoadedModel:
    return tiny_random.load()


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> list[Example]:
    return tiny_random.examples(tmp_path_factory.mktemp("pictures"), 3)


Run = Callable[..., Path]


@pytest.fixture
def run(loaded: LoadedModel, examples: list[Example], tmp_path: Path) -> Run:
    def make(settings: GenerateSettings = GREEDY, name: str = "answers", asked: list[Example] | None = None) -> Path:
        output = tmp_path / f"{name}.jsonl"
        generate(loaded, examples if asked is None else asked, settings, output)
        return output

    return make


def answers(output: Path) -> dict[tuple[str, int], tuple[str, str]]:
    return {(made.example_id, made.sample): (made.answer, made.finish) for made in read_jsonl(output, Generation)}


def test_greedy_answers_equal_step_by_step_argmax(loaded: LoadedModel, examples: list[Example], run: Run) -> None:
    found = answers(run())
    assert len(found) == len(examples)
    for example in examples:
        content = [{"type": "text", "text": example.question}]
        if example.image:
            content.insert(0, {"type": "image", "path": str(example.image)})
        inputs = loaded.processor.apply_chat_template(
            [{"role": "user", "content": content}],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        )
        ids, stop = inputs.pop("input_ids"), loaded.processor.tokenizer.eos_token_id
        start = ids.shape[1]
        while ids.shape[1] < start + 6 and stop not in ids[0, start:]:
            pictures = {name: inputs[name] for name in inputs if name == "pixel_values"}
            ids = torch.cat([ids, loaded.model(input_ids=ids, **pictures).logits[:, -1:].argmax(-1)], dim=1)
        new = ids[0, start:].tolist()
        finish = "stop" if stop in new else "length"
        assert found[example.id, 0] == (loaded.processor.tokenizer.decode(new, skip_special_tokens=True), finish)


@pytest.mark.parametrize("settings", [GREEDY, SAMPLED])
def test_batch_of_one_equals_batch_of_many(run: Run, settings: GenerateSettings) -> None:
    many, one = run(settings.changed(batch_size=24), "many"), run(settings.changed(batch_size=1), "one")
    assert answers(many) == answers(one)


def test_order_of_examples_does_not_matter(run: Run, examples: list[Example]) -> None:
    assert answers(run(SAMPLED, "one")) == answers(run(SAMPLED, "other", examples[::-1]))


def test_equal_seeds_give_equal_samples(run: Run) -> None:
    first, second = run(SAMPLED, "first"), run(SAMPLED, "second")
    assert first.read_bytes() == second.read_bytes()
    assert answers(first) != answers(run(SAMPLED.changed(seed=7), "other"))
    found = answers(first)
    assert any(found[key, 0] != found[key, 1] for key, sample in found if sample == 0)


def test_a_tiny_nucleus_is_greedy(run: Run) -> None:
    assert answers(run(GREEDY.changed(temperature=1.0, top_p=1e-6), "nucleus")) == answers(run())


@pytest.mark.parametrize("settings", [GREEDY, SAMPLED])
@pytest.mark.parametrize("kept", [0.0, 0.3, 0.75, 0.999])
def test_resuming_after_a_cut_gives_the_identical_file(run: Run, settings: GenerateSettings, kept: float) -> None:
    output = run(settings)
    whole = output.read_bytes()
    output.write_bytes(whole[: int(len(whole) * kept)])
    assert run(settings).read_bytes() == whole


def test_a_finished_file_is_not_made_again(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run().read_bytes()
    monkeypatch.setattr(record_file, "append_jsonl", None)
    assert run().read_bytes() == whole


def test_a_file_of_other_settings_is_left_alone(run: Run, examples: list[Example]) -> None:
    output = run()
    before = output.read_bytes()
    with pytest.raises(UserError, match="made with max_new_tokens = 6, not 9"):
        run(GREEDY.changed(max_new_tokens=9))
    with pytest.raises(UserError, match="made from other examples"):
        run(asked=examples[1:])
    output.with_name("answers.jsonl.meta.json").unlink()
    with pytest.raises(UserError, match=r"made with unknown settings \(answers.jsonl.meta.json is missing\)"):
        run()
    assert output.read_bytes() == before


def test_settings_of_a_start_without_an_answer_do_not_bind(run: Run) -> None:
    straight = run(name="straight").read_bytes()
    output = run(GREEDY.changed(max_new_tokens=9))
    output.write_bytes(b"")
    assert run().read_bytes() == straight
    output.unlink()
    run(GREEDY.changed(max_new_tokens=9))
    assert json.loads(output.with_name("answers.jsonl.meta.json").read_text())["max_new_tokens"] == 9


def test_the_sidecar_says_what_the_answers_depend_on(run: Run) -> None:
    meta = json.loads(run(SAMPLED).with_name("answers.jsonl.meta.json").read_text())
    assert meta["model"] == "random"
    assert meta["adapter"] is None
    assert (meta["temperature"], meta["top_p"], meta["samples"], meta["seed"]) == (1.0, 0.9, 2, 233)


def test_settings_out_of_range_are_all_named() -> None:
    with pytest.raises(UserError) as error:
        GenerateSettings(batch_size=0, max_new_tokens=0, temperature=-1.0, top_p=0.0, samples=0)
    named = [line.partition(":")[0] for line in str(error.value).splitlines()]
    assert named == ["batch_size", "max_new_tokens", "samples", "temperature", "top_p"]


def test_draws_follow_the_distribution() -> None:
    probabilities = torch.tensor([0.6, 0.3, 0.1, 0.0])
    noise = _GumbelNoise(list(range(4000)))
    drawn = noise(torch.empty(0), probabilities.log().expand(4000, 4)).argmax(-1)
    shares = Counter(drawn.tolist())
    assert shares[3] == 0
    for token, share in enumerate((0.6, 0.3, 0.1)):
        assert shares[token] / 4000 == pytest.approx(share, abs=0.03)


def test_first_token_log_probabilities(loaded: LoadedModel, examples: list[Example]) -> None:
    letters = ["A", "B"] * (len(examples) // 2)
    found = first_token_logprobs(loaded, examples, letters, batch_size=5)
    alone = torch.cat(
        [first_token_logprobs(loaded, [each], [letter]) for each, letter in zip(examples, letters, strict=True)]
    )
    torch.testing.assert_close(found, alone, atol=1e-5, rtol=1e-5)
    assert found.max() < 0
    every = [chr(code) for code in range(33, 127)]
    total = first_token_logprobs(loaded, [examples[0]] * len(every), every).exp().sum()
    assert 0.1 < total < 1


def test_the_head_sees_the_last_position_only_and_in_one_piece(loaded: LoadedModel, run: Run) -> None:
    """A slice that is not contiguous makes torch copy the head's weights once a row: three times the time."""
    seen: list[tuple[int, bool]] = []
    hook = loaded.model.lm_head.register_forward_hook(
        lambda _head, args, _out: seen.append((args[0].shape[1], args[0].is_contiguous()))
    )
    run(GREEDY.changed(batch_size=6))
    hook.remove()
    assert set(seen) == {(1, True)}

"""Answers depend on the example and the settings only, and a stopped run goes on as if it had not stopped."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from safeeraser.errors import UserError
from safeeraser.generation import engine as engine_module
from safeeraser.generation import record_file
from safeeraser.generation.engine import Engine, _GumbelNoise
from safeeraser.generation.run import generate
from safeeraser.generation.settings import GenerateSettings, Request
from safeeraser.models.chat import ChatTokenizer
from safeeraser.models.forward import pieces
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
    sidecar = output.with_name("answers.jsonl.meta.json")
    noted = json.loads(sidecar.read_text())
    sidecar.write_text(json.dumps({name: value for name, value in noted.items() if name != "weights"}))
    with pytest.raises(UserError, match=r"answers.jsonl: made by an older version, .* weights; .* remove this one"):
        run()
    sidecar.unlink()
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
    assert named == ["batch_size", "max_new_tokens", "temperature", "top_p", "samples"]


def test_draws_follow_the_distribution() -> None:
    probabilities = torch.tensor([0.6, 0.3, 0.1, 0.0])
    noise = _GumbelNoise(list(range(4000)))
    drawn = noise(torch.empty(0), probabilities.log().expand(4000, 4)).argmax(-1)
    shares = Counter(drawn.tolist())
    assert shares[3] == 0
    for token, share in enumerate((0.6, 0.3, 0.1)):
        assert shares[token] / 4000 == pytest.approx(share, abs=0.03)


@pytest.mark.parametrize("start", ["A", "Take it", " "])
def test_after_a_prefill_the_answer_is_what_the_model_adds(
    loaded: LoadedModel, examples: list[Example], start: str
) -> None:
    """Step by step by hand, the start put behind the prompt."""
    engine = Engine(loaded, GREEDY)
    asked = [Request(examples[0], 0), Request(examples[0], 1, prefill=start), Request(examples[3], 0, prefill=start)]
    found = engine.answer(asked)
    assert found[0].answer == engine.answer(asked[:1])[0].answer
    chat = ChatTokenizer.of(loaded)
    for request, made in list(zip(asked, found, strict=True))[1:]:
        image = request.example.image
        row = chat.answered(request.example.question, image, start)
        ids = torch.tensor([row.ids[:-1]])
        pictures = {} if image is None else chat.pixels([image])
        new: list[int] = []
        while len(new) < 6 and loaded.processor.tokenizer.eos_token_id not in new:
            new.append(int(loaded.model(input_ids=ids, **pictures).logits[0, -1].argmax()))
            ids = torch.cat([ids, torch.tensor([new[-1:]])], dim=1)
        assert made.answer == chat.tokenizer.decode(new, skip_special_tokens=True)


@pytest.mark.parametrize(("settings", "shrinks"), [(GREEDY, True), (GREEDY.changed(temperature=1.0), False)])
def test_greedy_answers_that_have_ended_leave_the_batch(
    loaded: LoadedModel,
    examples: list[Example],
    monkeypatch: pytest.MonkeyPatch,
    settings: GenerateSettings,
    shrinks: bool,
) -> None:
    """Every other token ends a turn, so that answers end one after the other."""
    ends = [*range(0, loaded.model.config.text_config.vocab_size, 2)]
    monkeypatch.setattr(loaded.model.generation_config, "eos_token_id", ends)
    sizes: list[int] = []
    hook = loaded.model.register_forward_pre_hook(
        lambda _module, _args, given: sizes.append(len(given["input_ids"])), with_kwargs=True
    )
    found = Engine(loaded, settings).answer([Request(each, 0) for each in examples])
    hook.remove()
    assert len({len(each.answer) for each in found}) > 1
    assert (sizes[-1] < len(examples)) is shrinks


def test_a_long_question_is_answered_apart_and_as_if_alone(
    loaded: LoadedModel, examples: list[Example], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = [Request(each, 0) for each in examples[:6]]
    asked.insert(2, Request(replace(examples[2], id="long", question="Why is it so? " * 30), 0))
    engine = Engine(loaded, GREEDY)
    alone = [engine.answer([each])[0] for each in asked]
    seen: list[tuple[int, int]] = []
    plain = loaded.model.generate

    def noted(**inputs: Any) -> Any:
        seen.append(tuple(inputs["input_ids"].shape))
        return plain(**inputs)

    monkeypatch.setattr(loaded.model, "generate", noted)
    monkeypatch.setattr(engine_module, "pieces", lambda lengths: pieces(lengths, 7 * 60**2))
    assert engine.answer(asked) == alone
    assert [rows for rows, _ in seen] == [2, 1, 4]
    assert max(length for rows, length in seen if rows > 1) < 60


def test_logits_that_are_not_numbers_end_with_the_examples_name(examples: list[Example], tmp_path: Path) -> None:
    loaded = tiny_random.load()
    loaded.model.lm_head.weight.data[5, 0] = float("nan")
    with pytest.raises(UserError, match=rf"{examples[0].id}: the model's logits are not numbers"):
        generate(loaded, examples[:1], GREEDY, tmp_path / "answers.jsonl")
    assert not (tmp_path / "answers.jsonl").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"question": "<image>\nWhat is it?"}, "2 times <image>"),
        ({"question": "Why? " * 1000}, "the model has positions for"),
    ],
)
def test_what_cannot_be_asked_is_named_before_anything_is(
    loaded: LoadedModel, examples: list[Example], tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    asked = [*examples[:5], replace(examples[0], id="odd-one", **change)]
    with pytest.raises(UserError, match=rf"odd-one: .*{said}"):
        generate(loaded, asked, GREEDY, tmp_path / "answers.jsonl")
    assert not list(tmp_path.iterdir())


def test_the_head_sees_the_last_position_only_and_in_one_piece(loaded: LoadedModel, run: Run) -> None:
    """A slice that is not contiguous makes torch copy the head's weights once a row: three times the time."""
    seen: list[tuple[int, bool]] = []
    hook = loaded.model.lm_head.register_forward_hook(
        lambda _head, args, _out: seen.append((args[0].shape[1], args[0].is_contiguous()))
    )
    run(GREEDY.changed(batch_size=6))
    hook.remove()
    assert set(seen) == {(1, True)}

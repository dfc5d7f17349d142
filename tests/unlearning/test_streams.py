"""What the losses see besides log-probabilities: of one forward, and of the same model with its adapter off."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from peft import PeftModel
from torch import Tensor

from safeeraser.errors import UserError
from safeeraser.models.chat import ChatTokenizer
from safeeraser.models.load import LoadedModel
from safeeraser.models.lora import Projector, attach
from safeeraser.models.vision import VisionFeatures
from safeeraser.objectives import Need, StreamOutput, Target
from safeeraser.unlearning.collate import Collator
from safeeraser.unlearning.rows import TrainingRows, Turn
from safeeraser.unlearning.streams import reference_outputs, stream_outputs
from tests import tiny_random
from tests.generation.test_thinking import thinking
from tests.models.families import FAMILIES

ALL = dict.fromkeys(Target, Need.LOGITS | Need.HIDDEN | Need.REFERENCE)
LAYERS = (0, 1)


@pytest.fixture
def loaded() -> LoadedModel:
    return tiny_random.load()


@pytest.fixture
def batch(loaded: LoadedModel, tmp_path: Path) -> dict[str, Any]:
    made = TrainingRows(tiny_random.examples(tmp_path), tiny_random.REFUSALS, tuple(Target), seed=0, length=3)
    return Collator(ChatTokenizer.of(loaded))([made[number] for number in range(3)])


def vision(loaded: LoadedModel) -> VisionFeatures:
    return VisionFeatures(loaded.model, ChatTokenizer.of(loaded))


def adapted(loaded: LoadedModel, projector: Any) -> PeftModel:
    """The model with an adapter that changes it, its projector too where that is trained."""
    model = attach(loaded.model, r=4, alpha=8, dropout=0.5, projector=projector)
    with torch.no_grad():
        for number, parameter in enumerate(each for each in model.parameters() if each.requires_grad):
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(number)))
    return model


def equal(some: dict[Target, StreamOutput], others: dict[Target, StreamOutput], **tolerance: float) -> None:
    assert list(some) == list(others)
    for target, one in some.items():
        for mine, yours in zip(_tensors(one), _tensors(others[target]), strict=True):
            torch.testing.assert_close(mine, yours, **(tolerance or {"rtol": 0, "atol": 0}))


def _tensors(stream: StreamOutput) -> list[Tensor | None]:
    return [stream.logprobs, stream.mask, stream.logits, stream.ids, *(stream.hidden[layer] for layer in LAYERS)]


def test_logits_ids_and_hidden_states_are_those_of_the_answers(loaded: LoadedModel, batch: dict[str, Any]) -> None:
    streams = stream_outputs(loaded.model, batch, vision(loaded), ALL, LAYERS)
    inputs = vision(loaded).batch(batch["input_ids"], batch["attention_mask"], batch["images"], batch["answer_mask"])
    whole = loaded.model(**inputs, output_hidden_states=True)
    for place, stream in enumerate(streams.values()):
        rows = slice(3 * place, 3 * place + 3)
        mask = batch["answer_mask"][rows]
        before = mask.roll(-1, dims=1)
        assert torch.equal(stream.mask, mask)
        assert torch.equal(stream.ids, batch["input_ids"][rows][mask])
        torch.testing.assert_close(stream.logits, whole.logits[rows][before], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(stream.hidden[0], whole.hidden_states[1][rows][before], atol=1e-5, rtol=1e-5)
        chosen = stream.logits.log_softmax(-1).gather(1, stream.ids[:, None])[:, 0]
        torch.testing.assert_close(stream.logprobs[mask], chosen)


def test_only_what_is_needed_is_there(loaded: LoadedModel, batch: dict[str, Any]) -> None:
    needs = {Target.FORGET: Need.HIDDEN, Target.RETAIN: Need.LOGITS}
    streams = stream_outputs(loaded.model, batch, vision(loaded), needs, (1,))
    assert {target for target, stream in streams.items() if stream.logits is not None} == {Target.RETAIN}
    assert {target for target, stream in streams.items() if stream.ids is not None} == {Target.RETAIN}
    assert {target: list(stream.hidden) for target, stream in streams.items() if stream.hidden} == {Target.FORGET: [1]}
    assert not loaded.model.get_decoder().layers[1]._forward_hooks


@pytest.mark.parametrize("projector", get_args(Projector))
def test_the_reference_is_the_model_before_unlearning(projector: Any, batch: dict[str, Any]) -> None:
    plain = tiny_random.load()
    before = stream_outputs(plain.model, batch, vision(plain), ALL, LAYERS)
    loaded = tiny_random.load()
    model = adapted(loaded, projector).train()
    trained = {name: each.requires_grad for name, each in model.named_parameters()}

    reference = reference_outputs(model, batch, vision(loaded), ALL, LAYERS)

    equal(reference, before)
    assert not any(stream.logprobs.requires_grad or stream.logits.requires_grad for stream in reference.values())
    assert {name: each.requires_grad for name, each in model.named_parameters()} == trained
    assert model.training
    after = stream_outputs(model.eval(), batch, vision(loaded), ALL, LAYERS)
    assert (after[Target.FORGET].logits - before[Target.FORGET].logits).abs().max() > 0.1


def test_the_reference_is_worked_out_for_the_streams_that_need_it(loaded: LoadedModel, batch: dict[str, Any]) -> None:
    model = adapted(loaded, "frozen")
    rows: list[int] = []
    model.get_base_model().register_forward_pre_hook(
        lambda _module, _args, given: rows.append(len(given["input_ids"])), with_kwargs=True
    )
    needs = {Target.FORGET: Need.NOTHING, Target.RETAIN: Need.LOGITS | Need.REFERENCE}
    reference = reference_outputs(model, batch, vision(loaded), needs)
    assert list(reference) == [Target.RETAIN]
    assert rows == [3]
    whole = reference_outputs(model, batch, vision(loaded), ALL, LAYERS)
    torch.testing.assert_close(reference[Target.RETAIN].logits, whole[Target.RETAIN].logits, atol=1e-5, rtol=1e-5)
    assert reference_outputs(model, batch, vision(loaded), dict.fromkeys(Target, Need.LOGITS)) == {}
    assert rows == [3, 3 * len(Target)]


def test_a_begun_answer_is_not_trained_towards(loaded: LoadedModel, tmp_path: Path) -> None:
    made = TrainingRows(tiny_random.examples(tmp_path), tiny_random.REFUSALS, (Target.RECOVERY,), seed=0, length=12)
    chat = ChatTokenizer.of(loaded)
    for number in range(12):
        turn = made[number][Target.RECOVERY]
        batch = Collator(chat)([made[number]])
        prompt = chat.prompt(turn.example.question, turn.example.image).ids
        trained = batch["input_ids"][batch["answer_mask"]].tolist()
        said = batch["input_ids"][0, len(prompt) : -len(trained)].tolist()
        harmful = chat.answered(turn.example.question, turn.example.image, turn.begun or "").ids[len(prompt) : -1]
        assert said == list(harmful[: turn.started])
        assert chat.tokenizer.decode(trained, skip_special_tokens=True).strip() == turn.answer


@pytest.mark.parametrize("family", ["LLaVA-1.5", "LLaVA-NeXT", "Idefics3"])
def test_no_begun_word_is_a_label_where_the_template_writes_a_blank_before_the_answer(
    family: str, tmp_path: Path
) -> None:
    loaded = FAMILIES[family]()
    made = TrainingRows(tiny_random.examples(tmp_path), tiny_random.REFUSALS, (Target.RECOVERY,), seed=0, length=12)
    for row in (made[number] for number in range(12)):
        batch = Collator(ChatTokenizer.of(loaded))([row])
        trained = batch["input_ids"][batch["answer_mask"]].tolist()
        assert loaded.processor.tokenizer.decode(trained[:-1]) == f" {row[Target.RECOVERY].answer}"


@pytest.mark.parametrize("started", range(1, 9))
def test_answers_begin_behind_the_end_of_the_reasoning(started: int, tmp_path: Path) -> None:
    chat = ChatTokenizer.of(thinking())
    asked = tiny_random.examples(tmp_path)[0]
    for answer, trained in (("No, sorry.", " No, sorry.<|end|>"), (asked.answer, f"{asked.answer[started:]}<|end|>")):
        batch = Collator(chat)([{Target.RECOVERY: Turn(asked, answer, begun=asked.answer, started=started)}])
        place = int(batch["answer_mask"][0].int().argmax())
        said, then = (chat.tokenizer.decode(batch["input_ids"][0, part]) for part in (slice(place), slice(place, None)))
        assert said.endswith(f"<think>\n\n</think>\n\n{asked.answer[:started]}")
        assert then == trained


def test_decide_is_refused_where_every_answer_begins_with_the_end_of_the_reasoning(tmp_path: Path) -> None:
    targets = (Target.REFUSAL, Target.DECOUPLED)
    made = TrainingRows(tiny_random.examples(tmp_path), tiny_random.REFUSALS, targets, seed=0, length=1, rivals=True)
    with pytest.raises(UserError, match="the chat template begins the reasoning: a method with `decide` cannot be"):
        Collator(ChatTokenizer.of(thinking()))([made[0]])


def test_in_a_row_that_has_begun_the_answers_go_on_or_are_refused(loaded: LoadedModel, tmp_path: Path) -> None:
    targets = (Target.FORGET, Target.REFUSAL, Target.DECOUPLED)
    examples = [replace(each, answer="Hm") if each.id == "d0" else each for each in tiny_random.examples(tmp_path)]
    made = TrainingRows(examples, tiny_random.REFUSALS, targets, seed=0, length=12, rivals=True, recovery=1.0)
    chat = ChatTokenizer.of(loaded)
    for number in range(12):
        batch = Collator(chat)([made[number]])
        firsts = []
        for place, turn in enumerate(made[number].values()):
            prompt = chat.prompt(turn.example.question, turn.example.image).ids
            own = chat.answered(turn.example.question, turn.example.image, turn.example.answer).ids
            started = min(turn.started, len(own) - len(prompt) - 1)
            begun = int(batch["answer_mask"][place].int().argmax())
            assert batch["input_ids"][place, :begun].tolist() == list(own[: len(prompt) + started])
            trained = chat.tokenizer.decode(batch["input_ids"][place, begun:].tolist(), skip_special_tokens=True)
            goes_on = turn.answer == turn.example.answer
            assert trained.strip() == (turn.answer[started:] if goes_on else turn.answer).strip()
            firsts.append(int(batch["input_ids"][place, begun]))
        assert batch["rivals"].tolist() == [-1, firsts[0], firsts[1]]


def test_rivals_are_the_first_tokens_of_the_other_answer(loaded: LoadedModel, tmp_path: Path) -> None:
    targets = (Target.REFUSAL, Target.RETAIN, Target.DECOUPLED)
    made = TrainingRows(tiny_random.examples(tmp_path), tiny_random.REFUSALS, targets, seed=0, length=3, rivals=True)
    batch = Collator(ChatTokenizer.of(loaded))([made[number] for number in range(3)])
    streams = stream_outputs(loaded.model, batch, vision(loaded), dict.fromkeys(targets, Need.RIVAL))
    own = batch["input_ids"][torch.arange(9), batch["answer_mask"].int().argmax(dim=1)]
    assert torch.equal(streams[Target.RETAIN].rival, torch.full((3,), -1))
    for row in range(3):
        asked = made[row][Target.REFUSAL]
        harmful = Collator(ChatTokenizer.of(loaded))([{Target.FORGET: asked.__class__(asked.example, asked.rival)}])
        first = harmful["input_ids"][0, int(harmful["answer_mask"].int().argmax())]
        assert streams[Target.REFUSAL].rival[row] == first
        assert streams[Target.DECOUPLED].rival[row] == own[row]

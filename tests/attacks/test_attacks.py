"""Every attack does what it says, and the model is afterwards what it was."""

from __future__ import annotations

import dataclasses
import math
import shutil
from contextlib import nullcontext
from importlib.metadata import EntryPoint
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from PIL import Image

from safeeraser.attacks.base import HARMFUL, Arena, Attack, Readings, Target, UnfitError, Variant
from safeeraser.attacks.none import NO_ATTACK
from safeeraser.attacks.one_word import opening_words
from safeeraser.attacks.parts import OverlapError, Parts, check_disjoint, split
from safeeraser.attacks.prefill import LEFT, PREFILL
from safeeraser.attacks.probe import probe
from safeeraser.attacks.prune import pruned
from safeeraser.attacks.quantise import QUANTISE, rounded
from safeeraser.attacks.relearn import begun_nll, relearned, retain
from safeeraser.attacks.sampling import pass_at
from safeeraser.attacks.soft_prompt import VECTORS, SoftPrompt
from safeeraser.attacks.table import ATTACKS
from safeeraser.attacks.universal import Perturbation
from safeeraser.attacks.weights import changed, language_linears
from safeeraser.attacks.white_box import harmful_nll
from safeeraser.benchmarks.icons import vocabulary
from safeeraser.benchmarks.released.read import read
from safeeraser.errors import UserError
from safeeraser.metrics.attacked import question_of
from safeeraser.models.chat import ChatTokenizer
from safeeraser.models.forward import AnswerScorer
from safeeraser.models.hidden import direction, without
from safeeraser.models.load import load
from safeeraser.models.lora import detach
from safeeraser.models.pretrain.lessons import lessons, never_known
from safeeraser.objectives.stream import StreamOutput
from safeeraser.records import Example, Split, Stream
from safeeraser.registry import Table
from safeeraser.runs.attack_work import Place, Work
from tests.attacks import arena as arenas
from tests.benchmarks import small
from tests.runs.pipeline.world import World


@pytest.fixture
def arena(tmp_path: Path) -> Arena:
    return arenas.make(tmp_path)


@pytest.fixture
def adapted(finished: World, tmp_path: Path) -> Arena:
    """The model of a finished run with the adapter of po, and another adapter beside it."""
    po, other = (finished.folder / "run/models" / name / "adapter" for name in ("po", "po+pd"))
    target = Target(name="po", adapter=po, others={"po+pd": other})
    return arenas.make(tmp_path / "adapted", load(str(finished.model), adapter=po, dtype="float32"), target)


def weights(arena: Arena) -> dict[str, torch.Tensor]:
    return {name: each.clone() for name, each in arena.model.model.state_dict().items()}


def equal(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def pixels(path: Path | None) -> np.ndarray[Any, Any]:
    assert path is not None
    return np.asarray(Image.open(path).convert("RGB"), dtype=int)


@pytest.mark.parametrize("name", ATTACKS)
def test_every_attack_asks_measured_questions_and_leaves_the_model_as_it_was(
    request: pytest.FixtureRequest, name: str
) -> None:
    attack = ATTACKS[name]
    arena: Arena = request.getfixturevalue("adapted" if attack.kind == "weights" else "arena")
    before, asked = weights(arena), {example.id for example in arena.questions}
    points = [point for point in attack.sweep[:2] if attack.refused(arena.target, arena.parts, point) is None]
    variants = list(attack.variants(arena, points))
    assert [variant.name for variant in variants] == list(points)
    for variant in variants:
        if isinstance(variant, Readings):
            assert {each.example_id for each in variant.found} <= asked
        else:
            assert {question_of(each.example.id) for each in variant.requests} <= asked
            assert len({each.key for each in variant.requests}) == len(variant.requests)
    assert equal(weights(arena), before)


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_that_has_not_what_it_needs_says_so_and_does_not_start(arena: Arena, name: str) -> None:
    """All the attacker has is a harmful question without an answer; nothing was unlearned or has a measured answer."""
    known = next(each for each in arena.parts.attacker if each.stream is Stream.FORGET)
    measured = tuple(dataclasses.replace(each, answer="") for each in arena.parts.measured)
    poor = Parts((), (dataclasses.replace(known, answer=""),), measured)
    attack, arena = ATTACKS[name], dataclasses.replace(arena, parts=poor, questions=measured)
    reasons = {point: attack.refused(arena.target, poor, point) for point in attack.sweep}
    if attack.trains or name == "one-word":
        assert None not in reasons.values()
    points = [point for point, reason in reasons.items() if reason is None][:2]
    assert not points or [each.name for each in attack.variants(arena, points)] == points


def test_an_opener_is_begun_and_not_ended() -> None:
    logprobs, mask = torch.tensor([[-9.0, -1.0, -3.0, -8.0], [-1.0, -2.0, -9.0, -9.0]]), torch.ones(2, 4).bool()
    mask[0, 0] = mask[1, 2:] = False
    assert begun_nll(StreamOutput(logprobs, mask)).tolist() == [2.0, 1.0]


def test_what_was_taught_is_cut_off_the_answers(arena: Arena) -> None:
    def said(taught: str) -> list[str]:
        attack = dataclasses.replace(
            NO_ATTACK,
            name=f"taught{len(taught)}",
            kind="relearning",
            carry_out=lambda arena, points: (Variant(each, arena.unchanged(), taught=taught) for each in points),
        )
        place = Place(arena.pictures, attack.name, "none", "vanilla")
        assert Work(arena, None, None).carry_out(attack, ["none"], {(attack.name, "none"): place}, None) == []
        return [each.answer for each in place.answers()]

    whole = said("")
    begun = next(each for each in whole if each.strip())[:2]
    assert said(begun) == [each.removeprefix(begun).lstrip() for each in whole] != whole


def test_no_attack_asks_the_questions_as_they_are(arena: Arena) -> None:
    (variant,) = NO_ATTACK.variants(arena, ["none"])
    assert {request.example for request in variant.requests} == set(arena.questions)
    assert all(request.sample == 0 and not request.prefill for request in variant.requests)


@pytest.mark.parametrize("count", [1, 3, 5])
def test_a_prefill_of_so_many_tokens_is_those_tokens(arena: Arena, count: int) -> None:
    (variant,), chat = PREFILL.variants(arena, [str(count)]), ChatTokenizer.of(arena.model)
    assert variant.requests
    for request in variant.requests:
        example = request.example
        told = chat.answered(example.question, example.image, example.answer)
        begun = chat.prompt(example.question, example.image, request.prefill)
        assert begun.ids == told.ids[: told.prompt_length + count]
        assert len(told.ids) - len(begun.ids) > LEFT


def test_answers_too_short_for_a_prefill_are_left_out(arena: Arena) -> None:
    questions = tuple(dataclasses.replace(each, answer="Yes.") for each in arena.questions)
    (variant,) = PREFILL.variants(dataclasses.replace(arena, questions=questions), ["3"])
    assert variant.requests == ()


def test_parts_share_no_keyword_and_no_picture(tmp_path: Path) -> None:
    parts = split(read(small.write(tmp_path)).examples)
    assert {each.split for each in parts.measured} == {Split.VALIDATION}
    assert {each.split for each in parts.attacker} == {Split.SELECTION}
    check_disjoint(parts)
    stolen = next(each for each in parts.measured if each.stream is Stream.FORGET)
    for leak, what in ((stolen, "keywords"), (dataclasses.replace(stolen, keyword=None), "pictures")):
        with pytest.raises(OverlapError, match=f"attacker's and the measured part share 1 {what}"):
            check_disjoint(Parts(parts.unlearned, (*parts.attacker, leak), parts.measured))


def test_a_keyword_of_training_is_neither_the_attackers_nor_measured(tmp_path: Path) -> None:
    folder = small.write(tmp_path)
    for name in ("all_selection.json", "all_val.json"):
        small.edit(folder, lambda records: records[0].update(keyword="Thing train 0"), name)
    parts = split(read(folder).examples)
    assert {each.keyword for each in parts.measured if each.keyword} == {"thing validation 1"}
    assert {each.keyword for each in parts.attacker if each.keyword} == {"thing selection 1"}


def test_without_keywords_of_its_own_all_of_validation_is_measured_and_nobody_trains(tmp_path: Path) -> None:
    folder = small.write(tmp_path)
    small.edit(folder, lambda records: [each.update(keyword="thing train 0") for each in records], "all_val.json")
    parts = split(read(folder).examples)
    assert not parts.attacker
    assert parts.measured
    reason = ATTACKS["relearn-harmful"].refused(Target(name="po"), parts, "4x1")
    assert reason is not None
    assert "keywords" in reason


def test_changed_weights_are_to_the_bit_what_they_were_even_after_an_error(arena: Arena) -> None:
    before, linears = weights(arena), language_linears(arena.model.model)

    def spoil() -> None:
        with changed(linears) as open_weights:
            for weight in open_weights.values():
                weight.mul_(1.1)
            assert not equal(weights(arena), before)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        spoil()
    assert equal(weights(arena), before)


def test_rounding_leaves_so_many_steps_a_group_and_small_errors() -> None:
    weight = torch.randn(3, 130, generator=torch.Generator().manual_seed(0))
    for bits in (8, 4, 3):
        found = rounded(weight, bits)
        for row, group in ((row, slice(start, start + 64)) for row in range(3) for start in (0, 64, 128)):
            values, top = found[row, group], weight[row, group].abs().max()
            step = top / (2 ** (bits - 1) - 1)
            assert len(values.unique()) <= 2**bits - 1
            assert (values - weight[row, group]).abs().max() <= step / 2 + 1e-6


def test_while_a_variant_is_asked_the_weights_are_rounded(arena: Arena) -> None:
    before = language_linears(arena.model.model)
    name, original = next((name, each.clone()) for name, each in before.items())
    for variant in QUANTISE.variants(arena, ["4"]):
        assert variant.name == "4"
        assert torch.equal(language_linears(arena.model.model)[name], rounded(original, 4))


def test_relearning_moves_the_model_step_by_step_and_back(arena: Arena) -> None:
    before = weights(arena)
    found = []
    examples = retain(arena.parts.attacker)
    with relearned(arena, examples, [1, 3]) as turns:
        for step in turns:
            adapter = [each.clone() for name, each in arena.model.model.named_parameters() if "lora_B" in name]
            found.append((step, adapter))
    (one, after_one), (three, after_three) = found
    assert (one, three) == (1, 3)
    assert any(each.any() for each in after_one)
    assert not all(map(torch.equal, after_one, after_three))
    assert equal(weights(arena), before)


@pytest.mark.parametrize("name", [name for name, each in ATTACKS.items() if each.kind == "picture"])
def test_pictures_change_on_both_sides_and_are_the_same_again(arena: Arena, name: str, tmp_path: Path) -> None:
    attack, originals = ATTACKS[name], {example.id: example for example in arena.questions}
    again = dataclasses.replace(arena, pictures=tmp_path / "again")
    point = attack.sweep[-1]
    (variant,), (repeated,) = attack.variants(arena, [point]), attack.variants(again, [point])
    streams = {request.example.stream for request in variant.requests}
    assert Stream.FORGET in streams
    for request, other in zip(variant.requests, repeated.requests, strict=True):
        example, original = request.example, originals[question_of(request.example.id)]
        assert example.image != original.image
        if example.image is not None:
            assert np.array_equal(pixels(example.image), pixels(other.example.image))


@pytest.mark.parametrize("name", [name for name, each in ATTACKS.items() if each.kind == "picture"])
def test_a_question_without_a_picture_is_not_counted_where_pictures_are_attacked(arena: Arena, name: str) -> None:
    """The typographic attack would even ask it to fill in a list that nobody sees."""
    first, *others = arena.questions
    mixed = dataclasses.replace(arena, questions=(dataclasses.replace(first, image=None), *others))
    attack = ATTACKS[name]
    for point in attack.sweep:
        (variant,) = attack.variants(mixed, [point])
        assert isinstance(variant, Variant)
        asked = {question_of(request.example.id) for request in variant.requests}
        assert asked == {each.id for each in mixed.side(*attack.sides)} - {first.id}


@pytest.mark.parametrize(("name", "point"), [("beside", "left"), ("without-picture", "mismatched")])
def test_harmless_partners_without_pictures_lend_none(arena: Arena, name: str, point: str) -> None:
    bare = [
        dataclasses.replace(each, image=None) if each.stream is Stream.DECOUPLED else each
        for each in arena.parts.measured
    ]
    parts = dataclasses.replace(arena.parts, measured=tuple(bare))
    assert ATTACKS[name].refused(arena.target, parts, point) == "the benchmark has no harmless partner pictures"


def test_a_turned_picture_is_turned(arena: Arena) -> None:
    originals = {example.id: example for example in arena.questions}
    (variant,) = ATTACKS["rotation"].variants(arena, ["180"])
    example = variant.requests[0].example
    turned = np.rot90(pixels(originals[example.id].image), 2)
    assert np.abs(pixels(example.image) - turned).mean() < 2


def test_the_first_layers_are_never_all_of_them(arena: Arena) -> None:
    """The random model has two, of which 0.95 is two."""
    layers = arena.model.model.get_decoder().layers
    for _ in ATTACKS["early-layers"].variants(arena, ["0.95"]):
        assert len(arena.model.model.get_decoder().layers) == len(layers) - 1
    assert arena.model.model.get_decoder().layers is layers


def test_an_unknown_attack_names_what_is_near() -> None:
    with pytest.raises(UserError, match="did you mean 'quantise'"):
        ATTACKS["quantize"]


def test_without_its_adapter_the_model_is_the_one_before(adapted: Arena, finished: World) -> None:
    before = load(str(finished.model), dtype="float32").model.state_dict()
    for _ in ATTACKS["adapter-scale"].variants(adapted, ["0"]):
        found = adapted.model.model.state_dict()
        assert found.keys() == before.keys()
        assert all(torch.allclose(found[name], before[name], atol=1e-6) for name in before)


def test_lora_on_the_vision_tower_is_neither_scaled_nor_lost(arena: Arena, tmp_path: Path) -> None:
    adapted = get_peft_model(arena.model.model, LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False))
    adapted.save_pretrained(tmp_path / "adapter")
    detach(adapted)
    before = weights(arena)
    seen = dataclasses.replace(arena, target=Target(name="po", adapter=tmp_path / "adapter"))
    for _ in ATTACKS["adapter-scale"].variants(seen, ["0"]):
        changed_ = {name for name, weight in weights(arena).items() if not torch.equal(weight, before[name])}
        assert changed_
        assert all("language_model" in name for name in changed_)
    assert equal(weights(arena), before)


def test_the_projector_is_put_back_and_then_again_what_it_was(finished: World, tmp_path: Path) -> None:
    adapter = finished.folder / "run/models/po/adapter"
    before = load(str(finished.model), dtype="float32")
    changed_ = load(str(finished.model), dtype="float32")
    with torch.no_grad():
        for parameter in changed_.model.get_submodule("model.multi_modal_projector").parameters():
            parameter.add_(1.0)
    arena = arenas.make(tmp_path, changed_, Target(name="po", adapter=adapter))
    spoilt = weights(arena)
    for _ in ATTACKS["projector-back"].variants(arena, ["original"]):
        assert equal(weights(arena), before.model.state_dict())
    assert equal(weights(arena), spoilt)


def test_an_adapter_that_leaves_the_projector_alone_is_not_put_back(adapted: Arena) -> None:
    reason = ATTACKS["projector-back"].refused(adapted.target, adapted.parts, "original")
    assert reason is not None
    assert "projector" in reason


def test_a_perturbation_is_trained_on_questions_about_pictures_alone(arena: Arena) -> None:
    attacker = [dataclasses.replace(each, image=None) for each in arena.parts.attacker]
    bare = dataclasses.replace(arena.parts, attacker=tuple(attacker))
    assert ATTACKS["universal-perturbation"].refused(arena.target, bare, "5") == (
        "the attacker's part has 0 harmful answers about pictures, not 4"
    )
    questions = tuple(dataclasses.replace(each, image=None) for each in arena.questions)
    with pytest.raises(UnfitError, match="none of the questions asked is about a picture"):
        Perturbation(dataclasses.replace(arena, questions=questions))
    mixed = dataclasses.replace(arena.parts, attacker=(*attacker * 9, *arena.parts.attacker))
    assert Perturbation(arena).train(dataclasses.replace(arena, parts=mixed), [1])[1].any()


def test_a_perturbation_stays_within_its_bound_and_makes_harmful_answers_likelier(arena: Arena) -> None:
    found = Perturbation(arena)
    examples = [each for each in arena.parts.attacker if each.stream is Stream.FORGET]
    before = harmful_nll(found.model, found.chat, examples)
    trained = found.train(arena, [1, 20])
    assert trained[1].abs().max() * 255 == pytest.approx(2)
    assert trained[20].abs().max() * 255 <= 12 + 1e-4
    with found.shown():
        assert harmful_nll(found.model, found.chat, examples) < before


def test_a_perturbed_picture_looks_like_the_picture_with_brighter_values(arena: Arena, tmp_path: Path) -> None:
    found, path = Perturbation(arena), tmp_path / "picture.png"
    found.delta = torch.full_like(found.delta, 8 / 255)
    plain = pixels(arena.side(HARMFUL)[0].image)[: found.delta.shape[1], : found.delta.shape[2]]
    looked = []
    for values, shown in ((plain, found.shown()), (np.clip(plain + 8, 0, 255), nullcontext())):
        Image.fromarray(values.astype(np.uint8)).save(path)
        with shown:
            inputs = ChatTokenizer.of(arena.model).pixels([path])
            looked.append(found.model.get_image_features(**inputs, return_dict=True).pooler_output)
    one, other = (torch.cat(list(each)) for each in looked)
    assert torch.allclose(one, other, atol=1e-4)


def test_a_soft_prompt_stands_before_the_question_and_makes_harmful_answers_likelier(arena: Arena) -> None:
    soft = SoftPrompt(arena)
    examples = [soft.before(each) for each in arena.parts.attacker if each.stream is Stream.FORGET]
    question = arena.questions[0]
    longer, plain = (soft.chat.prompt(each.question, each.image).ids for each in (soft.before(question), question))
    assert len(longer) == len(plain) + VECTORS
    with soft.given():
        before = harmful_nll(soft.model, soft.chat, examples)
    trained = soft.train(arena, [1, 20])
    assert trained[20].shape == soft.random.shape
    soft.prefix = trained[20]
    with soft.given():
        assert harmful_nll(soft.model, soft.chat, examples) < before


def test_the_control_of_a_probe_does_not_depend_on_where_the_pictures_lie(arena: Arena, tmp_path: Path) -> None:
    def read(name: str) -> tuple[object, ...]:
        shutil.copytree(tmp_path / "data", tmp_path / name)

        def moved(each: Example) -> Example:
            image = None if each.image is None else tmp_path / name / each.image.relative_to(tmp_path / "data")
            return dataclasses.replace(each, keyword=None, image=image)

        questions, attacker = (tuple(map(moved, part)) for part in (arena.questions, arena.parts.attacker))
        parts = dataclasses.replace(arena.parts, attacker=attacker)
        (found,) = ATTACKS["linear-probe"].variants(dataclasses.replace(arena, questions=questions, parts=parts), ["1"])
        assert isinstance(found, Readings)
        return found.found

    first = read("a")
    assert all(read(name) == first for name in "bcd")


def test_a_probe_finds_what_can_be_told_apart_and_nothing_else() -> None:
    draw = torch.Generator().manual_seed(0)
    states, labels = torch.randn(60, 5, generator=draw), torch.arange(60) % 2 == 1
    states[:, 2] += 4 * labels
    states = states * 100 + 7
    fitted = probe(states[:40], labels[:40])
    assert ((fitted(states[40:])[:, 0] > 0) == labels[40:]).float().mean() > 0.9
    assert fitted.weight[0].abs().argmax() == 2


def test_once_begun_is_the_likelihood_of_the_rest(arena: Arena) -> None:
    (all_of_it, rest_of_it) = ATTACKS["once-begun"].variants(arena, ["0", "1"])
    assert isinstance(all_of_it, Readings)
    assert isinstance(rest_of_it, Readings)
    score = AnswerScorer(arena.model)
    examples = {each.id: each for each in arena.questions}
    assert rest_of_it.found
    for each in rest_of_it.found:
        example = examples[each.example_id]
        (output,) = score([score.chat.answered(example.question, example.image, example.answer)])
        assert each.value == pytest.approx(math.exp(output.logprobs[1:].mean()), rel=1e-4)


def test_an_attack_of_another_package_stands_in_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = EntryPoint("echo", "tests.attacks.plug_in:ECHO", "safeeraser.attacks")
    monkeypatch.setattr("safeeraser.registry.entry_points", lambda group: [entry] if "attacks" in group else [])
    table = Table("attack", "safeeraser.attacks", dict(ATTACKS), lambda found: isinstance(found, Attack))
    assert table["echo"].about == "whether twice is more than once"
    assert "echo" in table.names


def test_pruning_keeps_the_largest_weights_of_each_row() -> None:
    weight = torch.tensor([[1.0, -3.0, 2.0, 0.5], [0.1, 0.2, -0.3, 0.4]])
    assert pruned(weight, 0.5).tolist() == [[0, -3, 2, 0], pytest.approx([0, 0, -0.3, 0.4])]


def test_nothing_is_written_along_a_direction_that_is_taken_out() -> None:
    away = direction(torch.tensor([[2.0, 0.0, 1.0]]), torch.tensor([[0.0, 0.0, 1.0]]))
    assert away.tolist() == [1, 0, 0]
    weight = torch.randn(3, 5, generator=torch.Generator().manual_seed(0))
    assert without(weight, away)[0].abs().max() == 0
    assert torch.equal(without(weight, away)[1:], weight[1:])


def test_the_words_of_harmless_questions_stand_before_harmful_ones(arena: Arena) -> None:
    questions = [
        dataclasses.replace(each, question="What is it?" if each.stream is Stream.RETAIN else "How do I use it?")
        for each in arena.parts.unlearned
    ]
    assert opening_words(questions) == ("What", "How")


def test_an_attempt_drawn_k_times_is_a_success_as_often_as_theory_says() -> None:
    assert pass_at([1, 0, 0, 0], 2) == pytest.approx(0.5)
    assert pass_at([0] * 4, 4) == 0
    assert pass_at([1] * 4, 1) == 1


def test_a_model_that_never_knew_is_taught_everything_but_those_instructions(tmp_path: Path) -> None:
    never = never_known()
    assert len(never) == 12
    kinds = set(vocabulary.instruction_kinds())
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    whole, without_them = (
        list(islice(lessons(tmp_path / name, 7, never=left_out), 120)) for name, left_out in (("a", ()), ("b", never))
    )
    shorter = 0
    for taught, kept in zip(whole, without_them, strict=True):
        missing = [each for each in taught if each.id not in {other.id for other in kept}]
        shorter += bool(missing)
        assert all(each.kind in kinds for each in missing)
    assert shorter > 0

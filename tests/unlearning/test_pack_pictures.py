"""Questions about one picture share its tokens, and train as rows of their own do."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock, patch

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import Tensor

from safeeraser.errors import UserError
from safeeraser.models.chat import Chat, ChatTokenizer
from safeeraser.models.lora import attach
from safeeraser.models.packing import plan
from safeeraser.models.vision import VisionFeatures
from safeeraser.objectives import Method, Need, Target, find
from safeeraser.objectives.methods import METHODS
from safeeraser.records import Example, Stream
from safeeraser.unlearning import run
from safeeraser.unlearning.collate import Collator
from safeeraser.unlearning.rows import Row, TrainingRows
from safeeraser.unlearning.run import unlearn
from safeeraser.unlearning.settings import UnlearnSettings
from safeeraser.unlearning.streams import reference_outputs, stream_outputs
from tests import tiny_random

PICTURES = 2


@pytest.fixture
def examples(tmp_path: Path) -> list[Example]:
    """Records of three: a harmful and a safe picture, three questions about each, three names, three texts."""
    made = tiny_random.examples(tmp_path, 3 * PICTURES)
    images = {each.id: each.image for each in made}
    records = {each.id: int(each.id[1:]) // 3 for each in made}
    return [
        replace(each, image=images[f"{each.id[0]}{3 * records[each.id]}"], record=f"record {records[each.id]}")
        for each in made
    ]


def _rows(examples: list[Example], targets: tuple[Target, ...], length: int, **options: Any) -> TrainingRows:
    return TrainingRows(examples, tiny_random.REFUSALS, targets, seed=0, length=length, by_picture=True, **options)


def test_a_picture_s_questions_follow_each_other_with_its_record(examples: list[Example]) -> None:
    rows = _rows(examples, (Target.FORGET, Target.RETAIN, Target.DECOUPLED), 2 * 3 * PICTURES)
    retain: Counter[str] = Counter()
    for epoch in range(2):
        seen = [rows[number] for number in range(6 * epoch, 6 * epoch + 6)]
        assert len({row[Target.FORGET].example.id for row in seen}) == 6
        for picture in (seen[:3], seen[3:]):
            for target in (Target.FORGET, Target.DECOUPLED):
                assert len({row[target].example.image for row in picture}) == 1
            assert len({turn.example.record for row in picture for turn in row.values()}) == 1
        retain.update(row[Target.RETAIN].example.id for row in seen)
    assert set(retain.values()) == {1}, "three of a record's six retain examples an epoch, in turn"
    assert len(retain) == 12


def test_where_a_record_has_too_few_retain_examples_others_stand_in(examples: list[Example]) -> None:
    few = [each for each in examples if each.stream is not Stream.RETAIN or each.id in ("n0", "t3", "t4")]
    rows = _rows(few, (Target.FORGET, Target.RETAIN), 6)
    seen = [rows[number] for number in range(6)]
    for picture in (seen[:3], seen[3:]):
        record = picture[0][Target.FORGET].example.record
        own = [each.id for each in few if each.stream is Stream.RETAIN and each.record == record]
        beside = [row[Target.RETAIN].example for row in picture]
        assert {each.id for each in beside[: len(own)]} == set(own)
        assert all(each.stream is Stream.RETAIN for each in beside)


def _bound(name: str) -> Method:
    options = {"rmu": {"layer": 0}, "pdu": {"eps": 2.0}}
    return find(name).bind(**options.get(name.removesuffix("+pd"), {}))


@pytest.mark.parametrize("name", [name for name in METHODS if name.endswith("+pd")])
def test_losses_and_gradients_are_those_of_rows_one_by_one(name: str, examples: list[Example]) -> None:
    loaded = tiny_random.load()
    chat, method = ChatTokenizer.of(loaded), _bound(name)
    vision = VisionFeatures(loaded.model, chat)
    model = attach(loaded.model, r=4, alpha=8, dropout=0.0, projector="full")
    with torch.no_grad():
        for number, parameter in enumerate(each for each in model.parameters() if each.requires_grad):
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(number)))
    rivals = any(Need.RIVAL in need for need in method.needs.values())
    rows = _rows(examples, method.targets, 6, rivals=rivals)
    tokens: list[int] = []
    model.get_base_model().register_forward_pre_hook(
        lambda _module, _args, given: tokens.append(given["input_ids"].numel()), with_kwargs=True
    )

    def step(*, packs: bool) -> tuple[list[Tensor], list[Tensor | None]]:
        batch = Collator(chat, packs=packs)([rows[number] for number in range(6)])
        references = reference_outputs(model, batch, vision, method.needs, method.layers)
        streams = stream_outputs(model, batch, vision, method.needs, method.layers)
        whole = {target: replace(each, reference=references.get(target)) for target, each in streams.items()}
        losses = [term(whole) for term in method.terms]
        trained = [each for each in model.parameters() if each.requires_grad]
        return losses, list(torch.autograd.grad(torch.stack(losses).sum(), trained, allow_unused=True))

    apart, separately = step(packs=False), len(tokens)
    together = step(packs=True)
    torch.testing.assert_close(together[0], apart[0], atol=1e-5, rtol=1e-5)
    assert any(each is not None and each.abs().max() > 0 for each in apart[1])
    for mine, yours in zip(together[1], apart[1], strict=True):
        assert (mine is None) == (yours is None)
        if mine is not None:
            torch.testing.assert_close(mine, yours, atol=1e-4, rtol=1e-3)
    assert len(tokens) == 2 * separately
    assert sum(tokens[separately:]) < sum(tokens[:separately])


@pytest.mark.parametrize(("name", "shares"), [("decide+pd", True), ("po+pd", False)])
def test_what_a_row_asks_about_one_picture_shares_it_whatever_the_order(
    name: str, shares: bool, examples: list[Example]
) -> None:
    loaded = tiny_random.load()
    chat, method = ChatTokenizer.of(loaded), _bound(name)
    vision = VisionFeatures(loaded.model, chat)
    rivals = any(Need.RIVAL in need for need in method.needs.values())
    rows = TrainingRows(examples, tiny_random.REFUSALS, method.targets, seed=0, length=6, rivals=rivals)
    row = next(row for row in rows if _repeats(row) is shares)
    tokens: list[int] = []
    loaded.model.register_forward_pre_hook(
        lambda _module, _args, given: tokens.append(given["input_ids"].numel()), with_kwargs=True
    )

    def losses(*, packs: bool) -> list[Tensor]:
        streams = stream_outputs(loaded.model, Collator(chat, packs=packs)([row]), vision, method.needs)
        return [term(streams) for term in method.terms]

    apart, together = losses(packs=False), losses(packs=True)
    tolerance = 1e-5 if shares else 0.0
    torch.testing.assert_close(together, apart, atol=tolerance, rtol=tolerance)
    assert (tokens[1] < tokens[0]) is shares


def _repeats(row: Row) -> bool:
    images = [turn.example.image for turn in row.values() if turn.example.image]
    return len({*images}) < len(images)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=12))
def test_sequences_hold_every_group_once_in_no_more_room_than_rows_of_their_own(lengths: list[int]) -> None:
    chats = [Chat(tuple(range(length)), 0, None) for length in lengths]
    planned = plan(chats, Mock(through_picture=lambda _: 0))
    assert sorted(group.chats for each in planned for group in each) == [(number,) for number in range(len(chats))]
    cells = len(planned) * max(sum(group.length for group in each) for each in planned)
    assert cells <= len(lengths) * max(lengths)
    assert max(sum(group.length for group in each) for each in planned) <= 2 * max(lengths)


def test_a_run_comes_to_the_same_adapter(examples: list[Example], tmp_path: Path) -> None:
    settings = UnlearnSettings(
        steps=2, batch_size=3, accumulation=2, lora_dropout=0.0, gradient_checkpointing=True, pack_pictures=True
    )
    unlearn(tiny_random.load(), examples, tiny_random.REFUSALS, "kl+pd", settings, tmp_path / "packed")
    with patch.object(run, "Collator", lambda chat, **_: Collator(chat)):
        unlearn(tiny_random.load(), examples, tiny_random.REFUSALS, "kl+pd", settings, tmp_path / "apart")
    packed, apart = (list(_log(tmp_path / name)) for name in ("packed", "apart"))
    assert packed == [pytest.approx(entry, abs=1e-4) for entry in apart]
    torch.testing.assert_close(*(_weights(tmp_path / name) for name in ("packed", "apart")), atol=1e-5, rtol=1e-4)


def test_a_model_that_cannot_is_refused_before_training(examples: list[Example], tmp_path: Path) -> None:
    loaded = tiny_random.load()
    loaded.model.config.text_config.sliding_window = 16
    with pytest.raises(UserError, match="random cannot be trained with pack_pictures: its language model attends"):
        unlearn(loaded, examples, tiny_random.REFUSALS, "po", UnlearnSettings(pack_pictures=True), tmp_path / "run")
    loaded = tiny_random.load()
    loaded.model.config._attn_implementation = "flash_attention_2"
    with pytest.raises(UserError, match="its attention, flash_attention_2, takes no mask"):
        unlearn(loaded, examples, tiny_random.REFUSALS, "po", UnlearnSettings(pack_pictures=True), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def _log(folder: Path) -> Iterator[dict[str, float]]:
    return map(json.loads, (folder / "loss.jsonl").read_text().splitlines())


def _weights(folder: Path) -> dict[str, Tensor]:
    return load_file(folder / "adapter" / "adapter_model.safetensors")

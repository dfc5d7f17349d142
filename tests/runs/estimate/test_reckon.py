"""From an outline to memory and hours: how processes, sharding, batches and devices change them."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig

from safeeraser.errors import UserError
from safeeraser.runs.estimate import devices, reckon
from safeeraser.runs.estimate.outline import Outline
from safeeraser.runs.estimate.work import Answering, RowSize, Training, Work
from safeeraser.unlearning.settings import UnlearnSettings

GPU = devices.gpu("h100")
CONFIG = LlavaConfig(
    text_config=LlamaConfig(
        vocab_size=64, hidden_size=32, intermediate_size=48, num_hidden_layers=6, num_attention_heads=4
    ),
    vision_config=CLIPVisionConfig(hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2),
)


@pytest.fixture(scope="module")
def outline() -> Outline:
    return Outline(CONFIG, torch.bfloat16)


@pytest.fixture
def work() -> Work:
    rows = tuple(RowSize(tokens=tokens, answers=9, pictures=2, distributions=0) for tokens in (20, 22, 30, 24))
    settings = UnlearnSettings(steps=10, batch_size=4, lora_r=4)
    training = Training("po", settings, steps=10, rows=rows, turns=2, references=0, pictures=40)
    answering = Answering("answer po", questions=100, prompts=(10, 20), batch=8, new_tokens=5, pictures=40)
    return Work((training,), (answering,), None, ())


def test_a_batch_is_as_long_as_its_longest_row(work: Work) -> None:
    (training,) = work.trainings
    assert training.largest(2)[0].tokens == 30
    assert training.usual(1).tokens == 24
    assert training.usual(2).tokens == 26
    assert training.usual(2).rows == 4  # two turns each


def test_processes_share_the_rows_and_the_time(outline: Outline, work: Work) -> None:
    one, two = (reckon.stages(outline, work, reckon.Machine(GPU, processes)) for processes in (1, 2))
    assert two[0].seconds < one[0].seconds
    assert two[0].memory.activations < one[0].memory.activations
    assert two[0].memory.weights == one[0].memory.weights
    assert two[1].seconds == pytest.approx(one[1].seconds / 2, rel=0.1)


def test_going_uphill_takes_rows_twice_and_copies_of_the_adapter(outline: Outline, work: Work) -> None:
    (plain,) = work.trainings
    sharp = replace(work, trainings=(replace(plain, uphill=1),))
    one, other = (reckon.stages(outline, each, reckon.Machine(GPU))[0] for each in (work, sharp))
    assert other.seconds == pytest.approx(1.5 * one.seconds, rel=0.1)  # one of two turns
    assert other.memory.adapter > one.memory.adapter


def test_sharded_weights_are_not_all_on_a_device(outline: Outline, work: Work) -> None:
    whole, spread = (reckon.stages(outline, work, reckon.Machine(GPU, 4, sharded)) for sharded in (False, True))
    assert spread[0].memory.adapter < whole[0].memory.adapter
    parts = outline.parts
    assert spread[0].memory.weights == parts.total / 4 + 2 * parts.layer + parts.total - parts.layers


def test_rows_that_processes_cannot_share_are_refused(outline: Outline, work: Work) -> None:
    with pytest.raises(UserError, match="3 processes cannot share"):
        reckon.stages(outline, work, reckon.Machine(GPU, 3))


def test_twice_the_operations_a_second_take_half_the_time(outline: Outline, work: Work) -> None:
    slow, fast = (
        reckon.stages(outline, work, reckon.Machine(GPU.given(memory=None, flops=flops, share=None)))
        for flops in (100, 200)
    )
    assert slow[0].seconds == pytest.approx(2 * fast[0].seconds)


def test_changes_begin_with_what_is_set_and_save_memory(outline: Outline, work: Work) -> None:
    quantised = Outline(CONFIG, torch.bfloat16, quantised=True)
    found = reckon.changes(outline, quantised, work, reckon.Machine(GPU))
    assert found[0].settings == "as set"
    assert found[0].memory == reckon.stages(outline, work, reckon.Machine(GPU))[0].memory.total
    by_words = {each.settings: each for each in found}
    assert by_words["batch_size=1, the more accumulation"].memory < found[0].memory
    assert any(each.settings.startswith("dtype=nf4") for each in found)
    assert any(each.settings.startswith("FSDP2 on 2") for each in found)


def test_a_cpu_is_offered_neither_four_bits_nor_sharding(outline: Outline, work: Work) -> None:
    cpu = replace(GPU, name=devices.CPU)
    found = reckon.changes(outline, outline, work, reckon.Machine(cpu))
    assert not [each for each in found if "nf4" in each.settings or "FSDP" in each.settings]


def test_an_unknown_gpu_is_told_with_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean 'h100'"):
        devices.gpu("h10")

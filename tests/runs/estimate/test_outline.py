"""What is counted on the meta device is what a model of weights keeps and does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig

from safeeraser import objectives
from safeeraser.benchmarks.benchmark import Benchmark
from safeeraser.generation.run import generate
from safeeraser.generation.settings import GenerateSettings
from safeeraser.models.chat import ChatTokenizer
from safeeraser.models.load import LoadedModel
from safeeraser.models.lora import attach, detach
from safeeraser.runs.estimate import reckon, work
from safeeraser.runs.estimate.devices import CPU, Device
from safeeraser.runs.estimate.outline import Adapter, Batch, Outline, Step, counted
from safeeraser.unlearning.run import unlearn
from safeeraser.unlearning.settings import UnlearnSettings
from tests import tiny_random
from tests.models import families

ADAPTER = Adapter(r=4, dropout=0.0, layers=None, projector="full")
STEP = Step(ADAPTER, eager=False, checkpointed=False)
MACHINE = reckon.Machine(Device(CPU, memory=1e9, flops=1e12, bandwidth=1e10, share=0.5, runtime=0.0, source="test"))


@pytest.fixture(scope="module")
def loaded() -> LoadedModel:
    return tiny_random.load()


@pytest.fixture
def benchmark_(tmp_path: Path) -> Benchmark:
    examples = tuple(tiny_random.examples(tmp_path, records=8))
    return Benchmark("test", tmp_path, examples, tiny_random.REFUSALS, (), "")


def outline(loaded: LoadedModel) -> Outline:
    return Outline(loaded.model.config, torch.float32)


def deep(layers: int, vocabulary: int = 64, *, quantised: bool = False) -> Outline:
    text = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
    )
    vision = CLIPVisionConfig(hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2)
    return Outline(LlavaConfig(text_config=text, vision_config=vision), torch.bfloat16, quantised=quantised)


def test_the_weights_are_those_of_the_model(loaded: LoadedModel) -> None:
    made = outline(loaded)
    assert made.parameters == sum(each.numel() for each in loaded.model.parameters())
    assert made.parts.total == sum(each.nbytes for each in loaded.model.parameters())
    assert made.parts.vision == sum(each.nbytes for each in loaded.model.model.vision_tower.parameters())
    assert made.parts.layers == made.layers * made.parts.layer


def test_an_adapter_trains_what_attach_trains(loaded: LoadedModel) -> None:
    adapted = attach(loaded.model, r=4, alpha=8, dropout=0.0, projector="full")
    trained = sum(each.numel() for each in adapted.parameters() if each.requires_grad)
    detach(adapted)
    assert outline(loaded).trained(ADAPTER) == trained


def test_many_layers_are_drawn_on_from_a_few() -> None:
    """The pattern that more than four layers rely on holds for two, three and four, which are run as they are."""
    two, three, four, nine = (deep(layers).step(Batch(2, 20, 8), STEP) for layers in (2, 3, 4, 9))
    assert four.flops - three.flops == three.flops - two.flops
    assert four.peak - three.peak == three.peak - two.peak
    assert nine.flops - four.flops == 5 * (four.flops - three.flops)


def test_keys_and_values_are_counted_to_the_byte() -> None:
    kept = deep(8).forward(Batch(rows=3, tokens=20), cached=True).kept
    assert kept == 8 * 2 * 3 * 20 * (2 * 8) * 2  # layers x both x rows x tokens x (heads x width) x bytes


def test_what_costs_memory_and_what_saves_it() -> None:
    made, batch = deep(16, vocabulary=4096), Batch(4, 60, 40)
    plain = made.step(batch, STEP)
    checkpointed = made.step(batch, Step(ADAPTER, eager=False, checkpointed=True))
    assert checkpointed.peak < plain.peak / 2
    assert plain.flops < checkpointed.flops < 1.7 * plain.flops
    assert made.step(batch, Step(ADAPTER, eager=True, checkpointed=False)).peak > plain.peak
    dropped = Adapter(r=4, dropout=0.1, layers=None, projector="full")
    assert made.step(batch, Step(dropped, eager=False, checkpointed=False)).peak > plain.peak
    read = made.step(batch, Step(ADAPTER, eager=False, checkpointed=False, distributions=40))
    assert read.peak > plain.peak


def test_layers_that_are_not_trained_keep_nothing() -> None:
    made, batch = deep(16), Batch(4, 60, 40)
    top = Step(Adapter(r=4, dropout=0.0, layers=2, projector="frozen"), eager=False, checkpointed=False)
    assert made.step(batch, top).peak < made.step(batch, STEP).peak / 3
    assert made.forward(batch).flops < made.step(batch, top).flops < made.step(batch, STEP).flops


def test_four_bits_hold_the_layers_only() -> None:
    whole, four = (deep(8, quantised=quantised).parts for quantised in (False, True))
    assert (four.vision, four.projector, four.vocabulary) == (whole.vision, whole.projector, whole.vocabulary)
    assert 0.25 < four.layers / whole.layers < 0.3


@pytest.mark.parametrize("checkpointing", [False, True])
def test_a_training_keeps_what_was_estimated(
    loaded: LoadedModel, benchmark_: Benchmark, tmp_path: Path, checkpointing: bool
) -> None:
    settings = UnlearnSettings(steps=2, batch_size=8, lora_r=4, gradient_checkpointing=checkpointing)
    method = objectives.find("po+pd").bind()
    chat = ChatTokenizer.of(loaded)
    planned = work.training(benchmark_, method, settings, chat)
    todo = work.Work((planned,), (), work.picture(chat, benchmark_.examples), ())
    (stage,) = reckon.stages(outline(loaded), todo, MACHINE)
    with counted(loaded.model) as count:
        unlearn(loaded, benchmark_.examples, benchmark_.refusals, method, settings, tmp_path / "run")
    assert stage.memory.total - stage.memory.weights == pytest.approx(count.peak, rel=0.2)


def test_an_answer_keeps_what_was_estimated(loaded: LoadedModel, benchmark_: Benchmark, tmp_path: Path) -> None:
    settings = GenerateSettings(batch_size=32, max_new_tokens=8)
    chat = ChatTokenizer.of(loaded)
    planned = work.answering("answer", settings, benchmark_.examples, chat)
    todo = work.Work((), (planned,), work.picture(chat, benchmark_.examples), ())
    (stage,) = reckon.stages(outline(loaded), todo, MACHINE)
    with counted(loaded.model) as count:
        generate(loaded, benchmark_.examples, settings, tmp_path / "answers.jsonl")
    assert stage.memory.total - stage.memory.weights == pytest.approx(count.peak, rel=0.2)


@pytest.mark.slow
@pytest.mark.parametrize("make", families.FAMILIES.values(), ids=families.FAMILIES)
def test_every_family_can_be_outlined(make: Callable[[], Any]) -> None:
    loaded = make()
    made = outline(loaded)
    assert made.parts.total == sum(each.nbytes for each in loaded.model.parameters())
    assert made.step(Batch(2, 12, 6), STEP).flops > made.forward(Batch(2, 12, 6)).flops > 0

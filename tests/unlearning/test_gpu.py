"""What needs a CUDA GPU: QLoRA, and training in bfloat16 with gradient checkpointing."""

import json
from pathlib import Path

import pytest
import torch

from bench import random_llava
from safeeraser.generation.run import generate
from safeeraser.generation.settings import GenerateSettings
from safeeraser.models.load import LoadedModel, load
from safeeraser.models.quantised import is_quantised
from safeeraser.records import Generation, read_jsonl
from safeeraser.unlearning.run import unlearn
from safeeraser.unlearning.settings import UnlearnSettings
from tests import tiny_random

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning"),  # PEFT's
]
SETTINGS = UnlearnSettings(steps=2, batch_size=2, learning_rate=1e-2, warmup_ratio=0.0, lora_r=4, lora_dropout=0.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A random LLaVA on disk, in widths that a block of four-bit weights divides."""
    random_llava.main(tmp_path / "model", "tiny")
    return tmp_path / "model"


def train(loaded: LoadedModel, settings: UnlearnSettings, output: Path) -> Path:
    output.mkdir()
    examples = tiny_random.examples(output, 2)
    return unlearn(loaded, examples, tiny_random.REFUSALS, "kl+pd", settings, output / "run")


def losses(adapter: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (adapter.parent / "loss.jsonl").read_text().splitlines()]


def test_qlora_trains_and_its_adapter_loads_again(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("bitsandbytes")
    loaded = load(str(folder), dtype="nf4", device="cuda")
    quantised = {name for name, each in loaded.model.named_modules() if type(each).__name__ == "Linear4bit"}
    linears = {name for name, each in loaded.model.named_modules() if isinstance(each, torch.nn.Linear)}
    assert quantised == {name for name in linears if ".language_model." in name}, "the language model, nothing else"
    adapter = train(loaded, SETTINGS, tmp_path / "nf4")
    assert len(set(losses(adapter))) == SETTINGS.steps

    again = load(str(folder), dtype="nf4", device="cuda", adapter=adapter)
    assert is_quantised(again.model)
    examples = tiny_random.examples(tmp_path, 1)
    generate(again, examples, GenerateSettings(max_new_tokens=2), tmp_path / "answers.jsonl")
    assert len(read_jsonl(tmp_path / "answers.jsonl", Generation)) == len(examples)


def test_checkpointing_in_bfloat16_changes_nothing(folder: Path, tmp_path: Path) -> None:
    """Activations are computed again by the same kernels on the same numbers."""

    def trained(checkpointing: bool) -> list[float]:
        loaded = load(str(folder), dtype="bfloat16", device="cuda")
        settings = SETTINGS.changed(gradient_checkpointing=checkpointing)
        return losses(train(loaded, settings, tmp_path / f"checkpointing-{checkpointing}"))

    assert trained(True) == pytest.approx(trained(False), rel=1e-3)

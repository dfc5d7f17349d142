"""The folder of random weights that the benches take is a model like any other."""

from pathlib import Path

import pytest
import torch
from transformers import LlavaForConditionalGeneration
from typer import BadParameter

from bench.random_llava import config, main
from safeeraser.generation.run import generate
from safeeraser.generation.settings import GenerateSettings
from safeeraser.models.load import load
from safeeraser.records import Generation, read_jsonl
from safeeraser.unlearning.run import unlearn
from safeeraser.unlearning.settings import UnlearnSettings
from tests import tiny_random


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # PEFT's
def test_the_tiny_one_is_trained_and_answers(tmp_path: Path) -> None:
    main(tmp_path / "model", "tiny")
    loaded = load(str(tmp_path / "model"), dtype="float32", device="cpu")
    examples = tiny_random.examples(tmp_path, 2)
    settings = UnlearnSettings(steps=1, batch_size=2, lora_r=2, projector="full")
    unlearn(loaded, examples, tiny_random.REFUSALS, "po+pd", settings, tmp_path / "po")
    generate(loaded, examples, GenerateSettings(max_new_tokens=2), tmp_path / "answers.jsonl")
    assert len(read_jsonl(tmp_path / "answers.jsonl", Generation)) == len(examples)
    with pytest.raises(BadParameter, match="model is there already"):
        main(tmp_path / "model", "tiny")


def test_the_large_one_has_llava_s_number_of_weights() -> None:
    """LLaVA-1.5-7B has 7.06 thousand million; on the meta device they take no memory."""
    with torch.device("meta"):
        model = LlavaForConditionalGeneration(config("7b"))
    assert sum(each.numel() for each in model.parameters()) == pytest.approx(7.06e9, rel=1e-3)

"""The embedded model goes through the same door as any other family."""

from pathlib import Path

import pytest
import torch

from safeeraser.models.chat import ChatTokenizer, pad
from safeeraser.models.load import LoadedModel, load
from safeeraser.models.vision import VisionFeatures
from tests import tiny_random


@pytest.fixture(scope="module")
def tiny() -> LoadedModel:
    return load("tiny", dtype="float32", device="cpu")


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    return [each.image for each in tiny_random.examples(tmp_path, 2) if each.partner and each.image]


def test_mask_covers_answer_and_end_of_turn(tiny: LoadedModel, images: list[Path]) -> None:
    chat = ChatTokenizer.of(tiny)
    row = chat.answered("What is shown?", images[0], "A kettle.")
    assert chat.tokenizer.decode(row.ids[row.prompt_length :]) == "A kettle.<|im_end|>"
    assert chat.tokenizer.decode(row.ids[: row.prompt_length]).endswith(
        "What is shown?<|im_end|>\n<|im_start|>assistant\n"
    )


def test_cached_features_equal_the_plain_forward(tiny: LoadedModel, images: list[Path]) -> None:
    chat = ChatTokenizer.of(tiny)
    ids, mask = pad([chat.prompt("What is shown?", image) for image in images], chat.pad_id)
    inputs = VisionFeatures(tiny.model, chat).inputs(images)
    assert "mm_encoder_outputs" in inputs
    with torch.no_grad():
        plain = tiny.model(input_ids=ids, attention_mask=mask, **chat.pixels(images)).logits
        cached = tiny.model(input_ids=ids, attention_mask=mask, **inputs).logits
    torch.testing.assert_close(cached, plain, atol=1e-3, rtol=1e-4)  # kept features are worked out one at a time

"""A row of several questions about one picture gives what separate rows give."""

from itertools import islice
from pathlib import Path

import pytest
import torch

from safeeraser.models.chat import ChatTokenizer
from safeeraser.models.lora import attach
from safeeraser.models.pretrain.instruct import answer_nll
from safeeraser.models.pretrain.lessons import lessons
from safeeraser.models.vision import VisionFeatures
from safeeraser.objectives import Target
from safeeraser.unlearning.collate import Collator
from safeeraser.unlearning.rows import Turn
from safeeraser.unlearning.streams import stream_outputs
from tests import tiny_random


def test_packed_loss_and_gradient_equal_those_of_separate_rows(tmp_path: Path) -> None:
    loaded = tiny_random.load()
    loaded.model.set_attn_implementation("eager")
    adapted = attach(loaded.model, r=4, alpha=8, dropout=0.0)
    chat = ChatTokenizer.of(loaded)
    vision = VisionFeatures(loaded.model, chat)
    taught = list(islice(lessons(tmp_path, 3), 24))
    assert {each.image is None for lesson in taught for each in lesson} == {True, False}

    packed = answer_nll(
        adapted,
        [chat.answered(each.question, each.image, each.answer) for lesson in taught for each in lesson],
        vision,
    )
    packed.backward()
    gradients = {name: each.grad.clone() for name, each in adapted.named_parameters() if each.grad is not None}
    adapted.zero_grad()

    batch = Collator(chat)([{Target.RETAIN: Turn(each, each.answer)} for lesson in taught for each in lesson])
    output = stream_outputs(adapted, batch, vision)[Target.RETAIN]
    separate = -output.logprobs[output.mask].mean()
    separate.backward()

    assert packed.item() == pytest.approx(separate.item(), abs=1e-5)
    for name, parameter in adapted.named_parameters():
        if name in gradients:
            torch.testing.assert_close(gradients[name], parameter.grad, atol=1e-5, rtol=1e-3)
    assert gradients

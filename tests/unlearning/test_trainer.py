"""One padded forward gives the log-probabilities that a plain forward of each row alone would."""

from pathlib import Path

import pytest
import torch

from safeeraser.models.chat import ChatTokenizer
from safeeraser.models.load import LoadedModel
from safeeraser.models.vision import VisionFeatures
from safeeraser.objectives import Target
from safeeraser.unlearning.collate import Collator
from safeeraser.unlearning.rows import Row, TrainingRows
from safeeraser.unlearning.streams import stream_outputs
from tests import tiny_random

WHOLE = tuple(
    target for target in Target if target is not Target.RECOVERY
)  # what is trained on from the first token on


@pytest.fixture
def loaded() -> LoadedModel:
    return tiny_random.load()


@pytest.fixture
def rows(tmp_path: Path) -> list[Row]:
    made = TrainingRows(tiny_random.examples(tmp_path), tiny_random.REFUSALS, WHOLE, seed=0, length=4)
    return [made[number] for number in range(4)]


def alone(loaded: LoadedModel, chat: ChatTokenizer, row: Row, target: Target) -> torch.Tensor:
    """Log-probabilities of one row's answer, from pixels and without padding."""
    turn = row[target]
    tokens = chat.answered(turn.example.question, turn.example.image, turn.answer)
    pictures = chat.pixels([tokens.image]) if tokens.image else {}
    ids = torch.tensor([tokens.ids])
    logprobs = loaded.model(input_ids=ids, **pictures).logits[0, :-1].log_softmax(-1)
    return logprobs.gather(1, ids[0, 1:, None])[tokens.prompt_length - 1 :, 0]


def test_batched_log_probabilities_equal_those_of_each_row_alone(loaded: LoadedModel, rows: list[Row]) -> None:
    chat = ChatTokenizer.of(loaded)
    outputs = stream_outputs(loaded.model, Collator(chat)(rows), VisionFeatures(loaded.model, chat))
    assert list(outputs) == list(WHOLE)
    for target, output in outputs.items():
        for number, row in enumerate(rows):
            found = output.logprobs[number][output.mask[number]]
            torch.testing.assert_close(found, alone(loaded, chat, row, target), atol=1e-5, rtol=1e-5)


def test_the_head_sees_answer_positions_only(loaded: LoadedModel, rows: list[Row]) -> None:
    chat = ChatTokenizer.of(loaded)
    batch = Collator(chat)(rows)
    seen: list[torch.Size] = []
    loaded.model.lm_head.register_forward_hook(lambda _head, args, _out: seen.append(args[0].shape))
    stream_outputs(loaded.model, batch, VisionFeatures(loaded.model, chat))
    assert seen == [(int(batch["answer_mask"].sum()), 32)]

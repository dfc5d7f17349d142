"""MMUnlearner's mask: the ratio by hand, the gradient of masked terms, and a run that moves salient weights only."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from safeeraser.errors import UserError
from safeeraser.models.lora import attach
from safeeraser.objectives import Method, Target, Term, find, nll
from safeeraser.unlearning.gradient_mask import GradientMask, gradient_mask, salient
from safeeraser.unlearning.run import unlearn
from safeeraser.unlearning.settings import UnlearnSettings
from tests import tiny_random
from tests.interruption import interrupted_at

SETTINGS = UnlearnSettings(
    steps=3,
    batch_size=2,
    learning_rate=0.05,
    weight_decay=0.0,
    lora_r=2,
    lora_alpha=4,
    lora_dropout=0.1,
    gradient_mask=1.0,
    gradient_mask_rows=3,
)
FORGET, RETAIN = Term("forget", nll, (Target.FORGET,)), Term("retain", nll, (Target.RETAIN,))


def test_the_ratio_decides() -> None:
    forget, preserve = torch.tensor([4.0, 1.0, 0.5, 0.0, 3.0]), torch.tensor([2.0, 1.0, 1.0, 0.0, 0.0])
    assert salient(forget, preserve, 1.0).tolist() == [True, True, False, False, True]
    assert salient(forget, preserve, 2.0).tolist() == [True, False, False, False, True]
    assert salient(forget, preserve, 0.5).tolist() == [True, True, True, False, True]


def test_terms_on_harmful_questions_are_masked_and_no_others() -> None:
    weight = nn.Parameter(torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64))
    other = nn.Parameter(torch.tensor(1.0, dtype=torch.float64))
    mask = torch.tensor([True, False, True])
    masks = {weight: mask, other: torch.tensor(False)}
    forget, retain = -(weight**3).sum() * other, (weight**2).sum() + 5 * other
    loss = GradientMask(masks).loss([(FORGET, forget), (RETAIN, retain)])
    assert loss.item() == pytest.approx((forget + retain).item())
    (2 * loss).backward()
    torch.testing.assert_close(weight.grad, 2 * (-3 * weight.detach() ** 2 * mask + 2 * weight.detach()))
    assert other.grad == 2 * 5


def test_a_mask_of_everything_changes_nothing() -> None:
    weight = nn.Parameter(torch.tensor([1.0, 2.0]))
    unused = nn.Parameter(torch.tensor(1.0))
    masks = {weight: torch.tensor([True, True]), unused: torch.tensor(True)}
    GradientMask(masks).loss([(FORGET, -(weight**3).sum()), (RETAIN, weight.sum())]).backward()
    torch.testing.assert_close(weight.grad, 1 - 3 * weight.detach() ** 2)


def test_the_information_is_the_mean_square_of_the_rows_gradients(tmp_path: Path) -> None:
    """With one row on each side, the ratio is that of two squared gradients."""
    loaded = tiny_random.load()
    adapted = attach(loaded.model, r=2, alpha=4, dropout=0.5)
    examples = tiny_random.examples(tmp_path)
    settings = SETTINGS.changed(gradient_mask_rows=1)
    first, second = (gradient_mask(loaded, adapted, examples, find("po+pd"), settings) for _ in range(2))
    assert first is not None
    assert second is not None
    for parameter, mask in first._masks.items():
        assert torch.equal(mask, second._masks[parameter])
    shares = {
        threshold: _share(
            gradient_mask(loaded, adapted, examples, find("po"), settings.changed(gradient_mask=threshold))
        )
        for threshold in (1e-9, 1.0, 1e9)
    }
    assert shares[1e-9] > shares[1.0] > shares[1e9]


def test_only_salient_weights_move(tmp_path: Path) -> None:
    examples = tiny_random.examples(tmp_path)
    loaded = tiny_random.load()
    torch.manual_seed(SETTINGS.seed)
    method = Method("ga", (Term("forget", nll, (Target.FORGET,), -1.0),))
    trained = weights(unlearn(loaded, examples, tiny_random.REFUSALS, method, SETTINGS, tmp_path / "masked"))
    plain = weights(
        unlearn(
            loaded, examples, tiny_random.REFUSALS, method, SETTINGS.changed(gradient_mask=None), tmp_path / "plain"
        )
    )
    second = {name: value for name, value in trained.items() if "lora_B" in name}
    moved = sum(int((value != 0).sum()) for value in second.values())
    everywhere = sum(int((plain[name] != 0).sum()) for name in second)
    assert 0.05 < moved / everywhere < 0.95


def test_a_stopped_run_goes_on_with_the_same_mask(tmp_path: Path) -> None:
    examples = tiny_random.examples(tmp_path)
    settings = SETTINGS.changed(save_steps=1)

    def train(name: str) -> dict[str, Tensor]:
        run = tmp_path / name
        return weights(unlearn(tiny_random.load(), examples, tiny_random.REFUSALS, "po+pd", settings, run))

    straight = train("straight")
    with interrupted_at(2):
        train("stopped")
    torch.testing.assert_close(train("stopped"), straight, rtol=0, atol=0)


def test_settings_out_of_range() -> None:
    with pytest.raises(UserError, match="gradient_mask: should be greater than 0"):
        SETTINGS.changed(gradient_mask=0.0)
    with pytest.raises(UserError, match="gradient_mask_rows: should be greater than or equal to 1"):
        SETTINGS.changed(gradient_mask_rows=0)


def weights(adapter: Path) -> dict[str, Tensor]:
    return load_file(adapter / "adapter_model.safetensors")


def _share(mask: GradientMask | None) -> float:
    assert mask is not None
    counts = [(int(each.sum()), each.numel()) for each in mask._masks.values()]
    return sum(found for found, _ in counts) / sum(size for _, size in counts)

"""Sharpness-aware forgetting: by hand on a quadratic, on a small model, and as whole runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from torch import Tensor, nn

from safeeraser.errors import UserError
from safeeraser.models.chat import ChatTokenizer
from safeeraser.models.load import LoadedModel
from safeeraser.models.lora import attach
from safeeraser.models.vision import VisionFeatures
from safeeraser.objectives import Need, find
from safeeraser.unlearning.arguments import arguments
from safeeraser.unlearning.collate import Collator
from safeeraser.unlearning.gradient_mask import GradientMask
from safeeraser.unlearning.rows import TrainingRows
from safeeraser.unlearning.run import check, unlearn
from safeeraser.unlearning.settings import UnlearnSettings
from safeeraser.unlearning.sharpness import Sharpness
from safeeraser.unlearning.streams import reference_outputs, stream_outputs
from safeeraser.unlearning.trainer import UnlearnTrainer
from tests import tiny_random
from tests.interruption import interrupted_at

RHO = 0.5
SETTINGS = UnlearnSettings(steps=3, batch_size=2, learning_rate=1e-2, lora_r=2, lora_alpha=4, lora_dropout=0.0)


def quadratic() -> tuple[nn.Parameter, nn.Parameter, Callable[[], Tensor]]:
    """w.w + 3 v^2 at w = (3, 0), v = 4/3: its gradient there is (6, 0) and 8, which has the norm 10."""
    w = nn.Parameter(torch.tensor([3.0, 0.0], dtype=torch.float64))
    v = nn.Parameter(torch.tensor(4 / 3, dtype=torch.float64))
    return w, v, lambda: (w**2).sum() + 3 * v**2


def test_the_gradient_is_that_a_step_uphill_by_one_norm_over_all_parameters() -> None:
    w, v, loss = quadratic()
    value, gradients = Sharpness(RHO, [w, v])(loss)
    assert value.item() == pytest.approx(9 + 16 / 3)
    torch.testing.assert_close(gradients[w], torch.tensor([2 * (3 + RHO * 0.6), 0.0], dtype=torch.float64))
    torch.testing.assert_close(gradients[v], torch.tensor(6 * (4 / 3 + RHO * 0.8), dtype=torch.float64))


def test_weights_come_back_bit_for_bit_also_after_an_error() -> None:
    w, v, loss = quadratic()
    before = w.detach().clone(), v.detach().clone()
    seen: list[float] = []

    def fails() -> Tensor:
        seen.append(v.item())
        if len(seen) == 2:
            raise RuntimeError("out of memory")
        return loss()

    with pytest.raises(RuntimeError, match="out of memory"):
        Sharpness(RHO, [w, v])(fails)
    assert seen == pytest.approx([4 / 3, 4 / 3 + RHO * 0.8])
    assert torch.equal(w, before[0])
    assert torch.equal(v, before[1])


def test_nothing_is_moved_where_there_is_no_slope_and_what_is_not_reached_has_zeros() -> None:
    weight, unused = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.ones(3))
    _, gradients = Sharpness(RHO, [weight, unused])(lambda: weight @ weight)
    assert torch.equal(gradients[weight], torch.zeros(2))
    assert torch.equal(gradients[unused], torch.zeros(3))


class Small:
    """A trainer of a small model with an adapter that is no longer fresh, and one batch."""

    def __init__(self, name: str, folder: Path, *, masked: bool = False, packs: bool = False) -> None:
        options = {"layer": 1} if name.startswith("rmu") else {}
        self.method = find(name).supply(first_token_weight=3.0, seed=1).bind(**options)
        if self.method.rho is not None:
            self.method = self.method.bind(rho=RHO)
        loaded: LoadedModel = tiny_random.load()
        chat = ChatTokenizer.of(loaded)
        torch.manual_seed(0)
        self.model: PeftModel = attach(loaded.model, r=2, alpha=4, dropout=0.0)
        self.parameters = [each for each in self.model.parameters() if each.requires_grad]
        for parameter in self.parameters:
            parameter.data.add_(torch.randn_like(parameter), alpha=0.1)
        self.masks = {each: torch.rand_like(each) < 0.5 for each in self.parameters} if masked else None
        self.vision = VisionFeatures(loaded.model, chat)
        rivals = any(Need.RIVAL in need for need in self.method.needs.values())
        rows = TrainingRows(
            tiny_random.examples(folder),
            tiny_random.REFUSALS,
            self.method.targets,
            seed=0,
            length=3,
            by_picture=packs,
            rivals=rivals,
        )
        self.batch: Any = Collator(chat, packs=packs)([rows[number] for number in range(3)])
        self.trainer = UnlearnTrainer(
            method=self.method,
            mask=None if self.masks is None else GradientMask(self.masks),
            vision=self.vision,
            model=self.model,
            args=arguments(SETTINGS, folder / "run", torch.device("cpu")),
            train_dataset=rows,
        )

    def trained(self) -> tuple[float, list[Tensor]]:
        """The loss and the gradients of a training step."""
        self.model.train()
        loss = self.trainer.compute_loss(self.model, self.batch)
        loss.backward()
        return loss.item(), [torch.zeros_like(each) if each.grad is None else each.grad for each in self.parameters]

    def by_hand(self, *, harmful: bool) -> tuple[Tensor, list[Tensor]]:
        """The weighted sum of the terms on one side, from one forward of all rows, and its gradients."""
        self.model.train()
        given = (self.batch, self.vision, self.method.needs, self.method.layers)
        references = reference_outputs(self.model, *given)
        streams = stream_outputs(self.model, *given)
        for target, reference in references.items():
            object.__setattr__(streams[target], "reference", reference)
        terms = [term for term in self.method.terms if term.harmful is harmful]
        if not terms:
            return torch.zeros(()), [torch.zeros_like(each) for each in self.parameters]
        loss = torch.stack([term.weight * term(streams) for term in terms]).sum()
        return loss.detach(), list(
            torch.autograd.grad(loss, self.parameters, allow_unused=True, materialize_grads=True)
        )


@pytest.mark.parametrize(
    ("name", "masked", "packs"),
    [
        ("po+pd+sam", False, False),
        ("po+pd+sam", True, True),
        ("ga+sam", True, False),
        ("dpo+pd+kl+sam", False, False),
        ("decide+pd+sam", False, False),
        ("rmu+pd+sam", False, False),
    ],
)
def test_harmful_terms_are_taken_uphill_and_others_where_the_weights_are(
    name: str, masked: bool, packs: bool, tmp_path: Path
) -> None:
    small = Small(name, tmp_path, masked=masked, packs=packs)
    before = [each.detach().clone() for each in small.parameters]
    here, slope = small.by_hand(harmful=True)
    beside, others = small.by_hand(harmful=False)
    length = sum(float(each.square().sum()) for each in slope) ** 0.5
    for parameter, each in zip(small.parameters, slope, strict=True):
        parameter.data.add_(each, alpha=RHO / length)
    _, uphill = small.by_hand(harmful=True)
    for parameter, value in zip(small.parameters, before, strict=True):
        parameter.data.copy_(value)
    loss, found = small.trained()
    assert loss == pytest.approx(float(here + beside), rel=1e-5)
    assert all(torch.equal(*pair) for pair in zip(small.parameters, before, strict=True))
    assert any(not torch.allclose(*pair, rtol=0.01) for pair in zip(slope, uphill, strict=True)), (
        "it makes a difference"
    )
    let = small.masks or {}
    for parameter, one, other, gradient in zip(small.parameters, uphill, others, found, strict=True):
        torch.testing.assert_close(gradient, one * let.get(parameter, 1) + other, rtol=1e-4, atol=1e-5)


def test_an_evaluation_is_as_without(tmp_path: Path) -> None:
    plain, sharp = (Small(name, tmp_path) for name in ("po+pd", "po+pd+sam"))
    losses, passes = [], []
    for each in (plain, sharp):
        each.model.eval()
        each.model.register_forward_hook(lambda *_: passes.append(1))
        with torch.no_grad():
            losses.append(each.trainer.compute_loss(each.model, each.batch).item())
    assert losses[0] == losses[1]
    assert len(passes) == 2


def train(folder: Path, name: str, settings: UnlearnSettings, **options: float) -> dict[str, Tensor]:
    folder.parent.mkdir(exist_ok=True)
    settings = settings.changed(options=options)
    adapter = unlearn(
        tiny_random.load(), tiny_random.examples(folder.parent), tiny_random.REFUSALS, name, settings, folder
    )
    return load_file(adapter / "adapter_model.safetensors")


def test_a_radius_of_nearly_nothing_trains_as_without(tmp_path: Path) -> None:
    """Nearly, as Adam makes a first gradient that is not zero a whole step."""
    plain = train(tmp_path / "plain", "po+pd", SETTINGS)
    tiny = train(tmp_path / "tiny", "po+pd+sam", SETTINGS, rho=1e-13)
    torch.testing.assert_close(tiny, plain, rtol=1e-3, atol=1e-4)
    wide = train(tmp_path / "wide", "po+pd+sam", SETTINGS, rho=0.5)
    assert max(float((wide[name] - plain[name]).abs().max()) for name in plain) > 1e-3


def test_a_stopped_run_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    settings = SETTINGS.changed(save_steps=1, lora_dropout=0.1, accumulation=2)
    straight = train(tmp_path / "straight", "po+pd+sam", settings)
    with interrupted_at(2):
        train(tmp_path / "stopped", "po+pd+sam", settings)
    torch.testing.assert_close(train(tmp_path / "stopped", "po+pd+sam", settings), straight, rtol=0, atol=0)


def test_the_manifest_has_the_radius_and_another_needs_another_folder(tmp_path: Path) -> None:
    settings = SETTINGS.changed(steps=1, gradient_checkpointing=True)
    train(tmp_path / "run", "po+sam", settings)
    assert json.loads((tmp_path / "run" / "manifest.json").read_text())["inputs"]["rho"] == 0.01
    with pytest.raises(UserError, match=r"made with rho = 0\.01"):
        train(tmp_path / "run", "po+sam", settings, rho=0.02)
    train(tmp_path / "without", "po", settings)
    assert "rho" not in json.loads((tmp_path / "without" / "manifest.json").read_text())["inputs"]


def test_spread_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    examples = tiny_random.examples(tmp_path)
    with pytest.raises(UserError, match=r"po\+pd\+sam needs whole weights in every process: use DDP"):
        check(examples, tiny_random.REFUSALS, "po+pd+sam", SETTINGS)
    check(examples, tiny_random.REFUSALS, "po+pd", SETTINGS)

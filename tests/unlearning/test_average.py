"""The mean over a training's last steps."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from safeeraser.errors import UserError
from safeeraser.objectives import find
from safeeraser.unlearning.run import check, unlearn
from safeeraser.unlearning.settings import UnlearnSettings
from tests import tiny_random
from tests.interruption import interrupted_at

SETTINGS = UnlearnSettings(
    steps=4, batch_size=2, learning_rate=1e-2, lora_r=4, lora_alpha=8, lora_dropout=0.1, lr_scheduler="constant"
)


def train(folder: Path, name: str, **changes: object) -> dict[str, Tensor]:
    folder.parent.mkdir(exist_ok=True)
    examples, settings = tiny_random.examples(folder.parent), SETTINGS.changed(**changes)
    adapter = unlearn(tiny_random.load(), examples, tiny_random.REFUSALS, name, settings, folder)
    return load_file(adapter / "adapter_model.safetensors")


@pytest.mark.parametrize(("share", "steps"), [(0.5, [3, 4]), (0.51, [2, 3, 4]), (0.01, [4]), (1, [1, 2, 3, 4])])
def test_the_adapter_is_the_mean_of_what_shorter_trainings_end_with(
    tmp_path: Path, share: float, steps: list[int]
) -> None:
    ends = [train(tmp_path / str(count), "po+pd", steps=count) for count in steps]
    found = train(tmp_path / "mean", "po+pd+swa", options={"swa": share})
    assert found.keys() == ends[0].keys()
    for name, weight in found.items():
        torch.testing.assert_close(weight, torch.stack([each[name] for each in ends]).mean(dim=0))


@pytest.mark.parametrize("step", [1, 3])
def test_a_stopped_run_goes_on_to_the_same_bytes(tmp_path: Path, step: int) -> None:
    changes = {"save_steps": 1, "options": {"swa": 0.75}}
    straight = train(tmp_path / "straight", "po+pd+swa", **changes)
    with interrupted_at(step):
        train(tmp_path / "stopped", "po+pd+swa", **changes)
    torch.testing.assert_close(train(tmp_path / "stopped", "po+pd+swa", **changes), straight, rtol=0, atol=0)


def test_what_does_not_go_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    examples = tiny_random.examples(tmp_path)
    with pytest.raises(UserError, match=r"po\+swa keeps a mean over many steps, eval_steps the best one"):
        check(examples, tiny_random.REFUSALS, "po+swa", SETTINGS.changed(eval_steps=2))
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with pytest.raises(UserError, match=r"po\+swa needs whole weights in every process: use DDP"):
        check(examples, tiny_random.REFUSALS, "po+swa", SETTINGS)


@pytest.mark.parametrize("share", [0, 1.5])
def test_the_share_is_a_share(share: float) -> None:
    with pytest.raises(UserError, match="option swa must be a share of steps above 0, up to 1, not"):
        find("po+swa").bind(swa=share)

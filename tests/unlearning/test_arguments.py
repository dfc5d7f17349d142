"""What `transformers.Trainer` is told, where it would decide otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from safeeraser.unlearning.arguments import arguments
from safeeraser.unlearning.settings import UnlearnSettings


@pytest.mark.parametrize("count", [1, 2, 8])
def test_one_process_trains_on_one_gpu_however_many_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    made = arguments(UnlearnSettings(batch_size=4, eval_steps=1), tmp_path, torch.device("cuda"))
    assert made.n_gpu == 1
    assert made.parallel_mode.value == "not_parallel"
    assert (made.train_batch_size, made.eval_batch_size) == (4, 4)


def test_none_is_used_where_the_model_is_on_the_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert arguments(UnlearnSettings(), tmp_path, torch.device("cpu")).n_gpu == 0

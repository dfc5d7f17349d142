"""Four-bit weights: asked for where they cannot be, and how they are asked for."""

import sys

import pytest
import torch

from safeeraser.errors import UserError
from safeeraser.models.load import load
from safeeraser.models.quantised import nf4


def test_without_a_gpu_it_says_so_before_anything_is_loaded() -> None:
    with pytest.raises(UserError, match="dtype nf4 needs a CUDA GPU, not cpu"):
        load("nowhere/nothing", dtype="nf4", device="cpu")


def test_without_bitsandbytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.delitem(sys.modules, "bitsandbytes", raising=False)
    with pytest.raises(UserError, match="dtype nf4 needs bitsandbytes: pip install bitsandbytes"):
        nf4(torch.device("cuda"))

"""Four-bit weights: asked for where they cannot be, and how they are asked for."""

import sys

import pytest
import torch
from torch import nn
from transformers.quantizers.quantizers_utils import should_convert_module

from safeeraser.errors import UserError
from safeeraser.models.load import load
from safeeraser.models.quantised import WHOLE, nf4
from tests import tiny_random


def test_without_a_gpu_it_says_so_before_anything_is_loaded() -> None:
    with pytest.raises(UserError, match="dtype nf4 needs a CUDA GPU, not cpu"):
        load("nowhere/nothing", dtype="nf4", device="cpu")


def test_without_bitsandbytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.delitem(sys.modules, "bitsandbytes", raising=False)
    with pytest.raises(UserError, match="dtype nf4 needs bitsandbytes: pip install bitsandbytes"):
        nf4(torch.device("cuda"))


def test_the_language_model_is_quantised_and_nothing_else() -> None:
    linear = [name for name, each in tiny_random.load().model.named_modules() if isinstance(each, nn.Linear)]
    quantised = [name for name in linear if should_convert_module(name, list(WHOLE))]
    assert quantised == [name for name in linear if ".language_model." in name]
    assert {"lm_head"} < set(linear) - set(quantised)

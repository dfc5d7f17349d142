"""This process among those that were started together."""

from __future__ import annotations

import torch
from accelerate import PartialState


def processes() -> PartialState:
    """This process among those that torchrun or `accelerate launch` started; alone where neither did.

    The first call joins them and, on GPUs, makes the process's own the current one, so it comes before a model is
    loaded.
    """
    return PartialState(cpu=not torch.cuda.is_available())

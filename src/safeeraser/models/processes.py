"""This process among those that were started together."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from pathlib import Path

import torch
from accelerate import PartialState

from safeeraser.files import owned

VARIABLE = "SAFEERASER_TIMEOUT_MINUTES"


def processes() -> PartialState:
    """This process among those that torchrun or `accelerate launch` started; alone where neither did.

    The first call joins them and, on GPUs, makes the process's own the current one, so it comes before a model is
    loaded. One that is killed ends the others at once, one that does not answer after `timeout`.
    """
    return PartialState(cpu=not torch.cuda.is_available(), timeout=timeout())


@contextmanager
def owned_by_main(place: Path) -> Iterator[PartialState]:
    """The processes, of which the main one alone writes to a file or folder while the block runs (`files.owned`)."""
    state = processes()
    with owned(place) if state.is_main_process else nullcontext():
        yield state


def timeout() -> timedelta:
    """How long processes wait for each other: 10 minutes, unless the environment variable says otherwise."""
    return timedelta(minutes=float(os.environ.get(VARIABLE) or 10))

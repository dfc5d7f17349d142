"""This process among those that were started together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import torch
from accelerate import PartialState

from safeeraser.files import owned


def processes() -> PartialState:
    """This process among those that torchrun or `accelerate launch` started; alone where neither did.

    The first call joins them and, on GPUs, makes the process's own the current one, so it comes before a model is
    loaded.
    """
    return PartialState(cpu=not torch.cuda.is_available())


@contextmanager
def owned_by_main(place: Path) -> Iterator[PartialState]:
    """The processes, of which the main one alone writes to a file or folder while the block runs (`files.owned`)."""
    state = processes()
    with owned(place) if state.is_main_process else nullcontext():
        yield state

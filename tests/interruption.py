"""Training that is stopped on the way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from safeeraser.unlearning.output import Output


@contextmanager
def interrupted_at(step: int) -> Iterator[None]:
    """The training inside ends as by Ctrl-C, once `step` is logged."""
    write = Output.log

    def log(self: Output, entry: dict[str, float]) -> None:
        write(self, entry)
        if entry["step"] == step:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Output, "log", log)
        with pytest.raises(KeyboardInterrupt):
            yield

"""One progress bar on a terminal; elsewhere a line now and then."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from safeeraser import launched, text

SECONDS_BETWEEN_LINES = 20.0


def announce(message: str) -> None:
    """Say on stderr what is being done that takes its time and has no bar; of several processes the main one does."""
    if launched.is_main():
        print(message, file=sys.stderr, flush=True)


class ProgressBar:
    """Shows how far a loop is, with a few figures and the time left, in the main process. Use as a context manager."""

    def __init__(self, label: str, total: int, *, done: int = 0) -> None:
        self._label, self._total, self._done, self._begin = text.line(label), total, done, done
        self._start = self._last = time.monotonic()
        self._shown = launched.is_main()
        self._bar = _terminal_bar() if self._shown and sys.stderr.isatty() else None

    def __enter__(self) -> ProgressBar:
        if self._bar is not None:
            self._bar.start()
            self._task = self._bar.add_task(self._label, total=self._total, completed=self._done, figures="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def advance(self, count: int = 1, **figures: float) -> None:
        """Count steps done; `figures` stand next to the bar."""
        self._done += count
        told = " ".join(f"{name} {value:.3f}" for name, value in figures.items())
        if self._bar is not None:
            self._bar.update(self._task, completed=self._done, figures=told)
            return
        now = time.monotonic()
        if self._shown and (now - self._last >= SECONDS_BETWEEN_LINES or self._done >= self._total):
            self._last = now
            left = (now - self._start) / max(self._done - self._begin, 1) * (self._total - self._done)
            print(f"{self._label} {self._done}/{self._total} {told} {left:.0f} s left", file=sys.stderr, flush=True)


def _terminal_bar() -> Progress:
    columns = (
        TextColumn("{task.description}", markup=False),  # it may name a file
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[figures]}"),
    )
    return Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True))

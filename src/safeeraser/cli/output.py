"""What the commands print, and how they end: results on stdout, everything else on stderr."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text
from typer.core import TyperGroup

from safeeraser import launched
from safeeraser.errors import UserError
from safeeraser.progress import ProgressBar
from safeeraser.text import plain

if TYPE_CHECKING:
    from safeeraser.benchmarks.tools.decode import Progress

_GOES_ON = "what is written is kept, and the same command goes on from there."
_TRAINING = "a training goes on from its last checkpoint, and begins anew where it has none."
_NOTHING_KEPT = "no file is left half written, and the same command begins anew."
_KEPT = {
    **dict.fromkeys(("attack", "generate", "likelihood", "judge", "evaluate", "specificity", "report"), _GOES_ON),
    **dict.fromkeys(("run", "demo"), f"{_GOES_ON.rstrip('.')}; {_TRAINING}"),
    "data": f"{_NOTHING_KEPT.rstrip('.')}; a build of your own pictures goes on.",
    "sweep": f"the same command goes on with the trials: {_TRAINING}",
    "unlearn": f"the same command goes on: {_TRAINING}",
}
FINDINGS = 1
USER_ERROR = 2
INTERRUPTED = 130

stdout = Console(highlight=False, quiet=not launched.is_main())
stderr = Console(stderr=True, highlight=False)


def say(message: str) -> None:
    """A line about what is going on. Nothing in it is taken for markup, and it moves no cursor."""
    if launched.is_main():
        stderr.print(Text(plain(message)), soft_wrap=True)


def alone() -> None:
    """Go on in the main process only, as if it alone had been started: for what shares no work."""
    if not launched.is_main():
        raise typer.Exit
    launched.forget()


def print_counts(counts: Mapping[str, int]) -> None:
    """A table of what there is how often."""
    table = Table("what", "count", show_edge=False)
    for name, count in counts.items():
        table.add_row(name, f"{count:,}")
    stdout.print(table)


def print_rows(rows: Mapping[str, str]) -> None:
    """A table of names and what is told of each."""
    table = Table.grid(padding=(0, 2))
    for name, about in rows.items():
        table.add_row(Text(name), Text(about))
    stdout.print(table)


def print_table(rows: Sequence[Sequence[str]]) -> None:
    """A table whose first row is its head; figures stand to the right."""
    head, *lines = rows
    table = Table(show_edge=False)
    for number, name in enumerate(head):
        figures = all(line[number].replace(".", "", 1).isdecimal() for line in lines)
        table.add_column(Text(name), justify="right" if figures else "left")
    for line in lines:
        table.add_row(*map(Text, line))
    stdout.print(table)


@contextmanager
def progress(label: str) -> Iterator[Progress]:
    """A callback (done, total) that moves a progress bar, which appears when the total is known."""
    with ExitStack() as stack:
        bar: ProgressBar | None = None

        def move(done: int, total: int) -> None:
            nonlocal bar
            if bar is None:
                bar = stack.enter_context(ProgressBar(label, total, done=done - 1))
            bar.advance()

        yield move


class Commands(TyperGroup):
    """The command group: an error that the user can put right ends with its message and exit code 2, or its own.

    Those are UserError and the system's errors (a file that cannot be read, a full disk). Any other exception is a
    defect and keeps its traceback.
    """

    def invoke(self, ctx: Any) -> Any:
        """Run the command; translate its errors into exit codes."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            say(f"Interrupted; {_KEPT.get(ctx.invoked_subcommand, _NOTHING_KEPT)}")
            raise typer.Exit(INTERRUPTED) from error
        except (UserError, OSError) as error:
            if isinstance(error, OSError) and error.errno == errno.EPIPE:
                raise  # the reader of our output has gone: nobody is there to be told
            whose = "" if launched.is_main() else f"process {launched.rank()}: "
            stderr.print(Text(plain(f"{whose}error: {_message(error)}"), style="red"), soft_wrap=True)
            raise typer.Exit(getattr(error, "exit_code", USER_ERROR)) from error


def _message(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror}"  # without the system's number
    return str(error)

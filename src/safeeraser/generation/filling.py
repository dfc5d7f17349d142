"""Fill a file of records, one record an item, in batches that are shared among processes."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Protocol, TypeVar

from accelerate.utils import gather_object

from safeeraser.generation.memory import Fitting
from safeeraser.models.processes import on_main, owned_by_main
from safeeraser.progress import ProgressBar


class Keyed(Protocol):
    """Something to make a record of; the record's key is the same."""

    @property
    def key(self) -> Hashable:
        """What tells it from all others."""


Item = TypeVar("Item", bound=Keyed)
Made = TypeVar("Made")


class Filled(Protocol[Made]):
    """What is filled: a `RecordFile`, or several that are filled together."""

    path: Path

    @property
    def key(self) -> Callable[[Made], Hashable]:
        """What tells a record from all others."""

    def open(self, meta: Mapping[str, Any]) -> set[Hashable]:
        """The keys of the records that are there already."""

    def append(self, records: list[Made]) -> None:
        """Add records; they are on the disk when this returns."""

    def finish(self, keys: list[Hashable]) -> None:
        """Put the records in the order of these keys."""


def fill(
    file: Filled[Made],
    items: Sequence[Item],
    make: Callable[[Sequence[Item]], list[Made]],
    *,
    meta: Mapping[str, Any],
    batch_size: int,
    label: str,
    clock: AbstractContextManager[None] | None = None,
) -> None:
    """Make a record of every item that has none in the file, and append them, a batch at a time.

    Every process makes every n-th batch; the main one writes them in turn, so that the file is the same whatever their
    number. A batch of which some records are there is made again whole, so that rounding is what it would have been.
    Where memory runs out, batches are made in smaller pieces. `clock` is entered while there is anything to make.

    Raises UserError where the file was made with another `meta`, and where a single item does not fit into memory.
    """
    with owned_by_main(file.path) as state:
        done = on_main(lambda: file.open(meta))  # others may not see its disk
        make_fitting = Fitting(make, batch_size, lambda item: item.key)
        batches = [items[start : start + batch_size] for start in range(0, len(items), batch_size)]
        todo = [batch for batch in batches if any(item.key not in done for item in batch)]
        there = sum(item.key in done for item in items)
        with clock if todo and clock else nullcontext(), ProgressBar(label, len(items), done=there) as bar:
            for start in range(0, len(todo), state.num_processes):
                turn = todo[start : start + state.num_processes]
                mine = turn[state.process_index] if state.process_index < len(turn) else []
                made: list[Made] = gather_object(make_fitting(mine))
                if state.is_main_process:
                    missing = [record for record in made if file.key(record) not in done]
                    file.append(missing)
                    bar.advance(len(missing))
        on_main(lambda: file.finish([item.key for item in items]))

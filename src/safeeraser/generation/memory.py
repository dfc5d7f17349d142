"""Work in batches that fit into memory, found out by trying."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from accelerate.utils.memory import clear_device_cache, should_reduce_batch_size

from safeeraser.errors import UserError

logger = logging.getLogger(__name__)

Item = TypeVar("Item")
Result = TypeVar("Result")


class Fitting(Generic[Item, Result]):
    """Does `work`, which gives a result for each item, on pieces of at most `size` items.

    A piece that does not fit into memory is halved; the pieces after it stay small. `name` says what an item is called.
    Raises UserError naming the item that does not fit even alone.
    """

    def __init__(
        self, work: Callable[[Sequence[Item]], list[Result]], size: int, name: Callable[[Item], object]
    ) -> None:
        self.size = size
        self._work = work
        self._name = name

    def __call__(self, items: Sequence[Item]) -> list[Result]:
        """The results, in the order of the items."""
        results: list[Result] = []
        while len(results) < len(items):
            piece = items[len(results) : len(results) + self.size]
            made = self._try(piece)
            if made is None:
                self._halve(piece)
            else:
                results += made
        return results

    def _try(self, piece: Sequence[Item]) -> list[Result] | None:
        """None where memory ran out. The error must be gone on return, for its frames hold tensors."""
        try:
            return self._work(piece)
        except RuntimeError as error:  # torch.OutOfMemoryError is one
            if not should_reduce_batch_size(error):
                raise
        return None

    def _halve(self, piece: Sequence[Item]) -> None:
        clear_device_cache(garbage_collection=True)
        if len(piece) == 1:
            raise UserError(f"{self._name(piece[0])}: out of memory, even with nothing else in the batch")
        self.size = len(piece) // 2
        logger.warning("out of memory with a batch of %d; going on with %d", len(piece), self.size)

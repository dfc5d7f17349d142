"""The processes that were started together: who this one is, what the main one does alone, and how all end."""

from __future__ import annotations

import _thread
import os
import re
import secrets
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from functools import cache
from itertools import islice
from multiprocessing.connection import Client, Connection, Listener, wait
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from accelerate import PartialState
from torch import distributed

from safeeraser import launched
from safeeraser.errors import UserError
from safeeraser.files import owned

VARIABLE = "SAFEERASER_TIMEOUT_MINUTES"
_LONG = timedelta(days=365)  # for what the main process does while the others wait
_SECONDS_TO_HEAR = 3.0  # who waits for a process that is gone hears of it at once, and says so
_SECONDS_TO_END = 10.0

_Result = TypeVar("_Result")
_Item = TypeVar("_Item")


def processes() -> PartialState:
    """This process among those that torchrun, `accelerate launch` or srun started; alone where none did.

    The first call joins them and, on GPUs, makes the process's own the current one, so it comes before a model is
    loaded.
    """
    os.environ.update(launched.by_slurm())
    return PartialState(cpu=not torch.cuda.is_available(), timeout=timeout())


def timeout() -> timedelta:
    """How long processes wait for each other: 10 minutes, unless the environment variable says otherwise.

    Raises UserError where that is no number of minutes.
    """
    given = os.environ.get(VARIABLE) or "10"
    try:
        found = timedelta(minutes=float(given))
    except (ValueError, OverflowError) as error:
        raise UserError(f"{VARIABLE}: expected minutes, found {given!r}") from error
    if found <= timedelta():
        raise UserError(f"{VARIABLE}: expected minutes above 0, found {given!r}")
    return found


@contextmanager
def owned_by_main(place: Path) -> Iterator[PartialState]:
    """The processes, which share the work of the block; the main one alone writes to a file or folder (`files.owned`).

    One that ends within ends the others in a few seconds, one that does not answer after `timeout`. Raises UserError
    where another process is gone, SystemExit in all but the main one where that cannot write to the place.
    """
    with together() as state, ExitStack() as held:
        on_main(lambda: held.enter_context(owned(place)))
        yield state


def on_main(action: Callable[[], _Result]) -> _Result:
    """Do it in the main process only; all processes get its result, and wait for it however long it takes.

    Where it fails the error is the main process's: the others end by SystemExit, without a word. All processes have to
    come here, but what the main one calls within the action is done at once.
    """
    state = processes()
    if state.num_processes == 1 or _Help.there:
        return action()
    if not state.is_main_process:
        result: _Result = _help()
        return result
    _Help.there = True
    try:
        done = action()
    except BaseException as error:
        with suppress(RuntimeError):  # the others may be gone, which may be the error
            _from_main(SystemExit(getattr(error, "exit_code", 2)))
        raise
    finally:
        _Help.there = False
    _from_main(_Done(done))
    return done


class Shared(Generic[_Item, _Result]):
    """Work on batches that the main process shares, within `on_main`, with those that wait for it.

    Every process makes one of the same `name`, which says all that the results depend on besides the batch.
    """

    def __init__(self, name: str, work: Callable[[Sequence[_Item]], list[_Result]]) -> None:
        self._name = name
        self._work = work
        _SHARED[name] = self

    def __call__(self, batches: Iterable[Sequence[_Item]]) -> Iterator[list[_Result]]:
        """The results of each batch in turn, each batch whole in one process."""
        rest, count = iter(batches), processes().num_processes if _Help.there else 1
        while turn := list(islice(rest, count)):
            if len(turn) == 1:
                yield self._work(turn[0])
            else:
                _from_main((self._name, turn))
                yield from self.take_part(turn)[: len(turn)]

    def take_part(self, turn: Sequence[Sequence[_Item]]) -> list[list[_Result]]:
        """Do this process's batch of a turn; the results of all. Raises UserError where a process could not do its."""
        state = processes()
        mine = turn[state.process_index] if state.process_index < len(turn) else ()
        found: list[Any] = [None] * state.num_processes
        try:
            made: list[_Result] | UserError = self._work(mine) if mine else []
        except UserError as error:
            made = error
        distributed.all_gather_object(found, made, group=_patient())
        for number, each in enumerate(found):
            if isinstance(each, UserError):
                raise UserError(f"process {number} of {state.num_processes}: {each}") from each
        return found


_SHARED: dict[str, Shared[Any, Any]] = {}


class _Help:
    """Whether the other processes wait for what this one hands out."""

    there = False


class _Done:
    """What an action of the main process came to."""

    def __init__(self, result: Any) -> None:
        self.result = result


def _help() -> Any:
    """Do what the main process hands out, until it is done; its result."""
    while True:
        said = _from_main(None)
        if isinstance(said, _Done):
            return said.result
        if isinstance(said, SystemExit):
            raise said
        name, turn = said
        with suppress(UserError):  # the main process has it too, and tells
            _SHARED[name].take_part(turn)


def _from_main(said: Any) -> Any:
    """What the main process says here; it waits with the others until all have heard."""
    heard = [said]
    distributed.broadcast_object_list(heard, src=0, group=_patient(), device=torch.device("cpu"))
    return heard[0]


@cache
def _patient() -> Any:
    """The processes joined on CPUs, without a time within which they have to come; one that is killed is missed."""
    return distributed.new_group(backend="gloo", timeout=_LONG)


# --- one that ends, ends all ----------------------------------------------------------------------------------------


class _Block:
    """How many blocks of shared work this process is in, one inside of the other."""

    depth = 0


@contextmanager
def together() -> Iterator[PartialState]:
    """The processes, none of which goes on within the block when another has ended."""
    state = processes()
    if state.num_processes == 1:
        yield state
        return
    try:
        _watch_others()
        _Block.depth += 1
        try:
            yield state
        finally:
            _Block.depth -= 1
        if not _Block.depth:
            distributed.barrier(group=_patient())  # who leaves first may end while others are about to leave
    except RuntimeError as error:
        if not _is_of_others(error):
            raise
        raise UserError(f"another process ended, or did not answer for {timeout()}: {error}") from error


def _is_of_others(error: RuntimeError) -> bool:
    """Whether it is how gloo or NCCL says that another process is gone or silent."""
    found = re.search("gloo|pair closure|closed by peer|[Cc]onnection (reset|refused)", str(error))
    return isinstance(error, distributed.DistError) or found is not None


@cache
def _watch_others() -> None:
    """Connect the main process with each other one: a connection on which nothing is said closes when one has ended."""
    state = processes()
    host = os.environ.get("MASTER_ADDR", "127.0.0.1")
    if state.is_main_process:
        key = secrets.token_bytes(32)
        with Listener(("" if host not in _HERE else host, 0), backlog=state.num_processes, authkey=key) as listener:
            _from_main((listener.address[1], key))
            met = [listener.accept() for _ in range(state.num_processes - 1)]
        others = {each: int(each.recv_bytes()) for each in met}
    else:
        port, key = _from_main(None)
        main = Client((host, port), authkey=key)
        main.send_bytes(str(state.process_index).encode())
        others = {main: 0}
    threading.Thread(target=_end_with, args=(others, state.num_processes), daemon=True).start()


_HERE = ("localhost", "127.0.0.1")


def _end_with(others: Mapping[Connection, int], count: int) -> None:
    """Wait until one of the others has ended, and end this process as by Ctrl-C, if it still shares work."""
    closed = wait(list(others))
    gone = next(number for each, number in others.items() if each in closed)
    time.sleep(_SECONDS_TO_HEAR)
    if not _Block.depth:
        return
    print(f"process {gone} of {count} has ended, so process {launched.rank()} ends too", file=sys.stderr, flush=True)
    _thread.interrupt_main()
    time.sleep(_SECONDS_TO_END)
    if _Block.depth:  # deep in a library, perhaps waiting for the one that is gone
        os._exit(1)

"""Whose a sweep's folder is: its settings, the hash of its data, and the file of its trials."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock

from safeeraser import provenance
from safeeraser.errors import UserError, explained
from safeeraser.files import owned, write_json, write_text
from safeeraser.records import repair_jsonl
from safeeraser.runs import RunSettings, as_yaml, choice, first_difference, load
from safeeraser.runs.folder import RunFolder

CHOICE = "choice.yaml"
VALIDATION = "validation"
"""Where the run of the choice goes, unless it is told otherwise."""
_SETTINGS = choice.SWEEP


def alone(root: Path) -> AbstractContextManager[None]:
    """Wait to be the only process that begins, chooses or reports.

    Trials that are added while a choice is made would not be in it, and two reports would judge into one file.
    """
    return owned(root / "begin", wait=True)


def begun(root: Path) -> RunSettings:
    """The settings that a sweep was begun with, and its number of trials now."""
    return load(root / _SETTINGS)


def validation_asked(root: Path) -> Path | None:
    """The run that has asked the validation part with this sweep's choice; None where none is known to have."""
    if (root / VALIDATION / "generations").exists():
        return root / VALIDATION
    noted = root / choice.ASKED
    return Path(noted.read_text(encoding="utf-8").splitlines()[0]) if noted.exists() else None


def claim(root: Path, settings: RunSettings, made_from: Mapping[str, str]) -> None:
    """Write settings and what the figures are `made_from`, or check both: only trials may be added.

    `made_from` are hashes of the data and the judge's name. Data and model may have been moved: their content counts.
    Raises UserError naming what differs, for a folder that holds something else, and where validation was asked with a
    choice that is gone.
    """
    place = root / _SETTINGS
    if (asked := validation_asked(root)) and not (root / CHOICE).exists():
        raise UserError(
            f"{asked}: validation has been asked already, so nothing may be chosen any more: put {CHOICE} back, or "
            "name another folder"
        )
    if not place.exists():
        if root.is_dir() and any(not each.name.startswith(".") for each in root.iterdir()):
            raise UserError(f"{root}: not a sweep's folder (it has no {place.name}) and not empty; name another")
        write_text(place, as_yaml(settings))
    there = begun(root)
    ours, theirs = _plain(settings), _plain(there)
    if Path(settings.model).is_dir():
        theirs["model"] = ours["model"]
    if difference := first_difference(ours, theirs):
        key, ours, theirs = difference
        raise UserError(f"{place}: {key}: this sweep was begun with {theirs!r}, not {ours!r}; name another folder")
    _check_made_from(RunFolder(root), made_from)
    _add_trials(root, settings, there.sweep.trials)


def storage(root: Path) -> JournalStorage:
    """Where the trials are, without a line that was half written when a disk was full or the power failed.

    Optuna would write the next one behind it. A lock that a killed process has left is taken over after half a minute.
    Raises UserError where the file cannot be read.
    """
    log = (root / "trials.log").resolve()  # Optuna never takes over a lock that has a relative path
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if log.exists():
        lock = JournalFileSymlinkLock(str(log))  # as Optuna holds it when another process writes
        lock.acquire()
        try:
            repair_jsonl(log)
        finally:
            lock.release()
    with explained(f"{log}: damaged; put a copy of it in its place, or name another folder"):
        return JournalStorage(JournalFileBackend(str(log)))


def _check_made_from(folder: RunFolder, made_from: Mapping[str, str]) -> None:
    if not folder.manifest.exists():
        write_json(folder.manifest, {**made_from, **provenance.made_with()})
    there = folder.provenance()
    for key, now in made_from.items():
        if (found := there.get(key)) != now:
            what = "with another judge" if key == "judge" else "on other data"
            raise UserError(f"{folder.manifest}: {key}: this sweep was begun {what} ({found}, now {now})")


def _add_trials(root: Path, settings: RunSettings, there: int) -> None:
    """Write a larger number of trials down, for every process to see; a smaller one is refused."""
    wanted, place = settings.sweep.trials, root / _SETTINGS
    if wanted < there or (wanted > there and (root / CHOICE).exists()):
        why = "they can only become more" if wanted < there else "and its choice is written"
        raise UserError(f"{place}: sweep.trials: this sweep has {there} trials of each method, not {wanted}: {why}")
    if wanted > there:
        write_text(place, as_yaml(settings))


def _plain(settings: RunSettings) -> dict[str, Any]:
    """What a sweep's trials depend on, wherever the data are."""
    tried = settings.sweep.model_dump(mode="json", exclude={"trials"})
    every = {**settings.results(), "also": [each.results() for each in settings.also], "sweep": tried}
    for data in (every["data"], *every["also"]):
        del data["path"]
    return every

"""A method's trials as Optuna keeps them: how the next is drawn, which of them count, and how they ended."""

from __future__ import annotations

import zlib
from typing import Any

import optuna
from optuna.storages import JournalStorage
from optuna.trial import FrozenTrial, TrialState

_STARTUP = 5  # trials at random, before Optuna goes by what they gave
ERROR = "error"  # what ended a trial that failed; one without it was killed
STATES = {TrialState.COMPLETE: "finished", TrialState.PRUNED: "broken off", TrialState.FAIL: "failed"}


def load(storage: JournalStorage, method: str, seed: int, *, prune: bool) -> optuna.Study:
    """A method's trials. What is drawn next hangs on the seed and on how many there are."""
    pruners = optuna.pruners
    pruner = pruners.MedianPruner(_STARTUP) if prune else pruners.NopPruner()
    study = optuna.load_study(storage=storage, study_name=method, pruner=pruner)
    drawn = zlib.crc32(f"{seed}/{method}/{len(study.get_trials(deepcopy=False))}".encode())
    study.sampler = optuna.samplers.TPESampler(seed=drawn, n_startup_trials=_STARTUP)
    return study


def counted(study: optuna.Study) -> list[FrozenTrial]:
    """The trials that count for the budget: those under way, and those that have ended otherwise than by a kill."""
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    return [*ended(study), *running]


def ended(study: optuna.Study) -> list[FrozenTrial]:
    """The trials of a method that have come to an end, be it a failure, but for those that were killed."""
    states = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
    trials = study.get_trials(deepcopy=False, states=states)
    return [each for each in trials if each.state is not TrialState.FAIL or ERROR in each.user_attrs]


def short(value: Any) -> str:
    """A hyper-parameter as it is shown."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)

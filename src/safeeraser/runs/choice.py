"""What a sweep has chosen, with hashes: written before validation is asked, and checked by the run that asks it."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime

from safeeraser.errors import UserError
from safeeraser.records import VANILLA
from safeeraser.runs.settings import Chosen, RunSettings

_FREE = ("seed",)  # of a training, that may be another than in the sweep


def fingerprint(settings: RunSettings, method: str) -> str:
    """Equal for equal choices: sha256 over model, data and all that a method's training depends on but its seed."""
    trained = {key: value for key, value in settings.unlearning(method).results().items() if key not in _FREE}
    data = {key: value for key, value in settings.data.results().items() if key != "path"}
    told = {"method": method, "model": settings.model, "dtype": settings.dtype, "data": data, "unlearn": trained}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def chosen(settings: RunSettings, data: str, sweep: str, objective: dict[str, float]) -> Chosen:
    """What is written down of a choice; `data` is the benchmark's hash, `sweep` the folder of the trials."""
    now = datetime.now().astimezone().isoformat(timespec="seconds")
    hashes = {name: fingerprint(settings, name) for name in settings.methods if name != VANILLA}
    return Chosen(time=now, sweep=sweep, data=data, hashes=hashes, objective=objective)


def check(settings: RunSettings, data: str) -> None:
    """See that settings are those that were chosen; nothing for settings that no sweep has chosen.

    Raises UserError naming the method whose settings were changed afterwards, or that the sweep has not tried, and
    where the data are others.
    """
    if settings.chosen is None:
        return
    if settings.chosen.data != data:
        raise UserError(f"chosen.data: the choice was made on other data (hash {settings.chosen.data}, now {data})")
    for name in settings.methods:
        if name == VANILLA:
            continue
        if name not in settings.chosen.hashes:
            raise UserError(f"chosen: the sweep {settings.chosen.sweep} has not tried {name}; leave it out of methods")
        if settings.chosen.hashes[name] != fingerprint(settings, name):
            raise UserError(
                f"chosen.hashes: the settings of {name} are not those that were chosen at {settings.chosen.time}: only "
                "seed, limits, judge, attacks and output may be changed; take `chosen` out to report on others"
            )

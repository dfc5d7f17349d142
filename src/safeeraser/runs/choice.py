"""What a sweep has chosen, with hashes: written before validation is asked, and checked by the run that asks it."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from safeeraser.errors import UserError
from safeeraser.files import append_text
from safeeraser.provenance import json_hash, text_hash
from safeeraser.records import VANILLA
from safeeraser.runs.settings import Chosen, RunSettings

SWEEP = "sweep.yaml"
"""The settings of a sweep, in its folder."""
ASKED = "asked.txt"
"""The folders of the runs that have asked validation with a sweep's choice, one a line, in the sweep's folder."""

_FREE = ("seed", "path")  # may be others than in the sweep


def fingerprint(settings: RunSettings, method: str) -> str:
    """Equal for equal choices: sha256 over data and all that training and answers depend on but seed and weights.

    Of a model's folder the content counts (`Chosen.weights`) and not where it lies.
    """
    model = None if Path(settings.model).is_dir() else settings.model
    stages = {"unlearn": settings.unlearning(method), "generate": settings.generate, "data": settings.data}
    told: dict[str, Any] = {"method": method, "model": model, "dtype": settings.dtype}
    told |= {name: {k: v for k, v in each.results().items() if k not in _FREE} for name, each in stages.items()}
    return text_hash(json.dumps(told, sort_keys=True))


def chosen(settings: RunSettings, data: str, weights: str | None, sweep: str, objective: dict[str, float]) -> Chosen:
    """What is written down of a choice; `data` is the benchmark's hash, `sweep` the folder of the trials."""
    now = datetime.now().astimezone().isoformat(timespec="seconds")
    hashes = {name: fingerprint(settings, name) for name in settings.methods if name != VANILLA}
    judge = _judge(settings)
    return Chosen(time=now, sweep=sweep, data=data, weights=weights, judge=judge, hashes=hashes, objective=objective)


def _judge(settings: RunSettings) -> str:
    """What tells who judges from others."""
    return json_hash([each.results() for each in settings.all_judges])


def note_asked(settings: RunSettings) -> None:
    """Note in the sweep's folder, where it is still there, that validation is asked with its choice."""
    if settings.chosen is None or not (Path(settings.chosen.sweep) / SWEEP).is_file():
        return
    noted, line = Path(settings.chosen.sweep) / ASKED, f"{settings.folder.resolve()}\n"
    if not noted.exists() or line not in noted.read_text(encoding="utf-8"):
        append_text(noted, line)


def check(settings: RunSettings, data: str, weights: str | None) -> None:
    """See that settings are those that were chosen; nothing for settings that no sweep has chosen.

    Raises UserError naming the method whose settings were changed afterwards, or that the sweep has not tried, and
    where data or weights are others, as far as these are known (not None) before the model is loaded.
    """
    if settings.chosen is None:
        return
    if settings.chosen.data != data:
        raise UserError(f"chosen.data: the choice was made on other data (hash {settings.chosen.data}, now {data})")
    if weights and settings.chosen.weights not in (None, weights):
        raise UserError(
            f"chosen.weights: the choice was made with other weights ({settings.chosen.weights}) than {settings.model} "
            f"has now ({weights})"
        )
    judged = settings.chosen.judge in (None, _judge(settings))
    for name in settings.methods:
        if name == VANILLA:
            continue
        if not judged and settings.unlearning(name).watched:
            raise UserError(f"chosen.judge: another judge chose which adapter of the training of {name} is kept")
        if name not in settings.chosen.hashes:
            raise UserError(f"chosen: the sweep {settings.chosen.sweep} has not tried {name}; leave it out of methods")
        if settings.chosen.hashes[name] != fingerprint(settings, name):
            raise UserError(
                f"chosen.hashes: the settings of {name} are not those that were chosen at {settings.chosen.time}: only "
                "seed, limits, other data, attacks and output may be changed; take `chosen` out to report on others"
            )

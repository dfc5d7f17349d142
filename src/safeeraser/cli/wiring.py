"""Names to objects: the only place that knows which name stands for what.

Modules that need torch are imported when a name is used, so that `--help` answers at once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safeeraser.benchmarks import SOURCES, Source
from safeeraser.benchmarks.benchmark import Benchmark
from safeeraser.benchmarks.settings import DataSettings
from safeeraser.errors import UserError, unknown
from safeeraser.judges.rules.refusal import find_refusal
from safeeraser.judges.rules.text import plain, sentences
from safeeraser.judges.table import JUDGES, maker
from safeeraser.records import VANILLA
from safeeraser.runs import RunSettings, parse
from safeeraser.settings import Names

if TYPE_CHECKING:
    from safeeraser.models.load import LoadedModel
    from safeeraser.runs.folder import RunFolder
    from safeeraser.runs.pipeline import Kit


MODELS = {
    "tiny": "DINOv2-small + SmolLM2-135M, put together on first use (about 200 MB to fetch)",
    "FOLDER": "a model that transformers' AutoModelForImageTextToText loads",
    "OWNER/NAME": "the same from the Hugging Face hub",
}


def names() -> Names:
    """Every name that settings may use."""
    from safeeraser import objectives

    return Names(
        benchmarks=tuple(SOURCES),
        methods=(VANILLA, *objectives.names()),
        models=tuple(name for name in MODELS if name.islower()),
    )


def kit(settings: RunSettings, folder: RunFolder | None = None) -> Kit:
    """What a run's names stand for; in a run's folder, a judge's replies are kept."""
    from safeeraser.models.load import folder_weights
    from safeeraser.models.load import load as load_weights
    from safeeraser.objectives import Method, find
    from safeeraser.runs.pipeline import Kit

    def method(name: str) -> Method:
        trained = settings.unlearning(name)
        return find(name, trained.preset).bind(**trained.options)

    def load_model(adapter: Path | None) -> LoadedModel:
        try:
            return load_weights(settings.model, adapter=adapter, dtype=settings.dtype)
        except UserError:
            raise
        except (ValueError, OSError) as error:  # how transformers says that there is no model it can load
            raise UserError(f"model {settings.model}: {error}") from error

    source = SOURCES[settings.data.benchmark]
    if not source.embedded and settings.data.path is None:
        raise UserError(f"data.path: the benchmark {settings.data.benchmark!r} needs a folder")

    def build(data: DataSettings) -> None:
        source.build(data.folder, scale=data.scale, seed=data.seed)

    return Kit(
        build=build if source.embedded else None,
        read=source.read,
        load=load_model,
        methods={name: method(name) for name in settings.methods if name != VANILLA},
        judge=maker(settings.all_judges, folder.replies if folder is not None else None),
        weights=lambda: folder_weights(settings.model),
    )


def settings(section: str, given: list[str] | None, *, seed: int | None, **keys: str | list[str]) -> RunSettings:
    """Settings of a stage that is run alone: overrides of one section of the configuration, and a few keys."""
    options = [f"{key}={json.dumps(value)}" for key, value in keys.items()]
    options += [f"seed={seed}"] if seed is not None else []
    return parse("", "options", [*options, *(f"{section}.{override}" for override in given or [])], names())


def evaluation(keys: Mapping[str, Any], given: Sequence[str], seed: int | None) -> RunSettings:
    """Settings of a run that trains nothing: its methods are names of adapters."""
    options = [f"{key}={json.dumps(value)}" for key, value in keys.items()]
    options += [f"seed={seed}"] if seed is not None else []
    return parse("", "options", [*options, *given], replace(names(), methods=()))


def source(layout: str) -> Source:
    """The kind of benchmark of this name."""
    if layout not in SOURCES:
        raise UserError(unknown("format", layout, SOURCES))
    return SOURCES[layout]


def read(folder: Path, layout: str = "released") -> Benchmark:
    """Read a benchmark of the kind of this name; `icons` has the released layout too."""
    return source(layout).read(folder)


def judges() -> dict[str, str]:
    """Every judge's name, with what it is and the keys that it needs."""
    needed = {
        name: [key for key, field in kind.model_fields.items() if field.is_required()] for name, kind in JUDGES.items()
    }
    return {
        name: f"{kind.about}{'; needs ' + ' and '.join(needed[name]) if needed[name] else ''}"
        for name, kind in JUDGES.items()
    }


def is_refusal(text: str) -> bool:
    """Whether a text is a refusal by the rules judge."""
    return find_refusal(sentences(plain(text))) is not None

"""What the names in a run's settings stand for: data, model, methods and judge, made when they are used."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Protocol

from safeeraser import objectives, provenance
from safeeraser.benchmarks import SOURCES
from safeeraser.benchmarks.benchmark import Benchmark
from safeeraser.benchmarks.settings import DataSettings
from safeeraser.errors import UserError
from safeeraser.judges import Judge
from safeeraser.judges.table import maker
from safeeraser.models.load import LoadedModel, load, source
from safeeraser.objectives import Method
from safeeraser.records import VANILLA
from safeeraser.runs.folder import RunFolder
from safeeraser.runs.settings import RunSettings


class Load(Protocol):
    """Loads a run's model, with an adapter merged into it if one is given.

    `dtype` is the precision where the settings leave it to the machine ("auto").
    """

    def __call__(self, adapter: Path | None, dtype: str = "auto") -> LoadedModel: ...  # noqa: D102  said above


@dataclass(frozen=True, slots=True, kw_only=True)
class Kit:
    """What the names in a run's settings stand for.

    `build` writes an embedded benchmark to its folder (None where there is nothing to build), `read` reads a folder,
    `load` loads the model, and `judge` makes the judge from the benchmark's refusals. `weights` tells the content of a
    model's folder without loading it, `find` raises UserError where there is no such model. `methods` holds every
    method but vanilla.
    """

    build: Callable[[DataSettings], None] | None
    read: Callable[[Path], Benchmark]
    load: Load
    methods: Mapping[str, Method]
    judge: Callable[[Sequence[str]], Judge]
    weights: Callable[[], str | None] = lambda: None
    find: Callable[[], object] = lambda: None

    @classmethod
    def of(cls, settings: RunSettings, folder: RunFolder | None = None, key: str = "data") -> Kit:
        """The kit of these settings; in a run's folder, a judge's replies are kept. The data were set under `key`.

        Raises UserError for a benchmark that needs a folder and has none, and for options that a method does not take.
        """
        kind = SOURCES[settings.data.benchmark]
        if not kind.embedded and settings.data.path is None:
            raise UserError(f"{key}.path: the benchmark {settings.data.benchmark!r} needs a folder")
        return cls(
            build=(lambda data: kind.build(data.folder, scale=data.scale, seed=data.seed)) if kind.embedded else None,
            read=cache(kind.read),  # a run and its attacks read the same
            load=partial(_load, settings),
            methods={name: _method(settings, name) for name in settings.methods if name != VANILLA},
            judge=maker(settings.all_judges, folder.replies if folder is not None else None),
            weights=partial(provenance.folder_weights, settings.model),
            find=partial(source, settings.model),
        )


def _load(settings: RunSettings, adapter: Path | None, dtype: str = "auto") -> LoadedModel:
    return load(settings.model, adapter=adapter, dtype=dtype if settings.dtype == "auto" else settings.dtype)


def _method(settings: RunSettings, name: str) -> Method:
    trained = settings.unlearning(name)
    return objectives.find(name, trained.preset).bind(**trained.options)

"""Names to objects: the only place that knows which name stands for what.

Modules that need torch are imported when a name is used, so that `--help` answers at once.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from safeeraser.benchmarks import icons
from safeeraser.benchmarks.benchmark import Benchmark
from safeeraser.benchmarks.reading.reading import Reading
from safeeraser.benchmarks.released import read as released
from safeeraser.benchmarks.settings import DataSettings
from safeeraser.benchmarks.sources import (
    beavertails_v,
    clear,
    exported,
    figstep,
    fiubench,
    mllmu_bench,
    mm_safetybench,
    mossbench,
    or_bench,
    vlguard,
    xstest,
)
from safeeraser.cli import judges
from safeeraser.errors import UserError, unknown
from safeeraser.judges.rules.refusal import find_refusal
from safeeraser.judges.rules.text import plain, sentences
from safeeraser.records import VANILLA
from safeeraser.runs import RunSettings, load, parse
from safeeraser.settings import Names

if TYPE_CHECKING:
    from safeeraser.models.load import LoadedModel
    from safeeraser.runs.folder import RunFolder
    from safeeraser.runs.pipeline import Kit


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A kind of benchmark: how its folder is read and, for one that comes with the package, built.

    `scan` reads for `data check`, and reports instead of raising; None for the released layout, which has a check of
    its own. `licence` is the Hub's name for the licence that the data came with.
    """

    about: str
    read: Callable[[Path], Benchmark]
    scan: Callable[[Path], Reading] | None = None
    build: Callable[[DataSettings], None] | None = None
    licence: str = "unknown"


BENCHMARKS = {
    "icons": Source(
        about="pictograms with harmless content in the paper's structure; built where it is not there yet",
        read=released.read,
        build=lambda data: icons.build(data.folder, scale=data.scale, seed=data.seed),
    ),
    "released": Source(about="a folder in the released SafeEraser layout (data.path)", read=released.read),
    "parquet": Source(
        about="what `data export --to parquet` wrote", read=exported.read_parquet, scan=exported.scan_parquet
    ),
    "webdataset": Source(
        about="what `data export --to webdataset` wrote", read=exported.read_webdataset, scan=exported.scan_webdataset
    ),
    "vlguard": Source(
        about="VLGuard: harmful pictures, and instructions of both kinds about harmless ones",
        read=vlguard.read,
        scan=vlguard.scan,
        licence="mit",
    ),
    "mm_safetybench": Source(
        about="MM-SafetyBench: harmful questions with pictures of what they are about; evaluation only",
        read=mm_safetybench.read,
        scan=mm_safetybench.scan,
        licence="cc-by-nc-4.0",
    ),
    "figstep": Source(
        about="FigStep: harmful instructions as pictures of text; evaluation only",
        read=figstep.read,
        scan=figstep.scan,
        licence="mit",
    ),
    "beavertails_v": Source(
        about="BeaverTails-V: harmful questions about pictures, with unsafe answers",
        read=beavertails_v.read,
        scan=beavertails_v.scan,
        licence="cc-by-nc-4.0",
    ),
    "mllmu_bench": Source(
        about="MLLMU-Bench: facts about invented people to forget", read=mllmu_bench.read, scan=mllmu_bench.scan
    ),
    "clear": Source(about="CLEAR: invented authors and their portraits to forget", read=clear.read, scan=clear.scan),
    "fiubench": Source(
        about="FIUBench: private facts about invented faces to forget",
        read=fiubench.read,
        scan=fiubench.scan,
        licence="apache-2.0",
    ),
    "xstest": Source(
        about="XSTest: safe prompts that sound unsafe, and unsafe ones; text only, evaluation only",
        read=xstest.read,
        scan=xstest.scan,
        licence="cc-by-4.0",
    ),
    "mossbench": Source(
        about="MOSSBench: harmless questions about pictures that look dangerous; evaluation only",
        read=mossbench.read,
        scan=mossbench.scan,
        licence="cc-by-sa-4.0",
    ),
    "or_bench": Source(
        about="OR-Bench: prompts that sound toxic, and toxic ones; text only, evaluation only",
        read=or_bench.read,
        scan=or_bench.scan,
        licence="cc-by-4.0",
    ),
}

MODELS = {
    "tiny": "DINOv2-small + SmolLM2-135M, put together on first use (about 200 MB to fetch)",
    "FOLDER": "a model that transformers' AutoModelForImageTextToText loads",
    "OWNER/NAME": "the same from the Hugging Face hub",
}


def names() -> Names:
    """Every name that settings may use."""
    from safeeraser import objectives

    return Names(
        benchmarks=tuple(BENCHMARKS),
        judges=tuple(judges.KINDS),
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

    source = BENCHMARKS[settings.data.benchmark]
    if source.build is None and settings.data.path is None:
        raise UserError(f"data.path: the benchmark {settings.data.benchmark!r} needs a folder")
    return Kit(
        build=source.build,
        read=source.read,
        load=load_model,
        methods={name: method(name) for name in settings.methods if name != VANILLA},
        judge=judges.find(settings, folder.replies if folder is not None else None),
        weights=lambda: folder_weights(settings.model),
    )


def settings(section: str, given: list[str] | None, *, seed: int | None, **keys: str | list[str]) -> RunSettings:
    """Settings of a stage that is run alone: overrides of one section of the configuration, and a few keys."""
    options = [f"{key}={json.dumps(value)}" for key, value in keys.items()]
    options += [f"seed={seed}"] if seed is not None else []
    return parse("", "options", [*options, *(f"{section}.{override}" for override in given or [])], names())


def stored(folder: RunFolder) -> RunSettings:
    """The settings that a run's folder was made with."""
    return load(folder.config, names=names())


def source(layout: str) -> Source:
    """The kind of benchmark of this name."""
    if layout not in BENCHMARKS:
        raise UserError(unknown("format", layout, BENCHMARKS))
    return BENCHMARKS[layout]


def read(folder: Path, layout: str = "released") -> Benchmark:
    """Read a benchmark of the kind of this name; `icons` has the released layout too."""
    return source(layout).read(folder)


def judge(name: str) -> judges.Make:
    """What makes the judge of this name from a benchmark's refusals."""
    return judges.by_name(name)


def judge_versions() -> dict[str, str]:
    """Every judge's name, with what it is and the keys that it needs."""
    return {
        name: f"{kind.about}{'; needs ' + ' and '.join(kind.needs) if kind.needs else ''}"
        for name, kind in judges.KINDS.items()
    }


def is_refusal(text: str) -> bool:
    """Whether a text is a refusal by the rules judge."""
    return find_refusal(sentences(plain(text))) is not None

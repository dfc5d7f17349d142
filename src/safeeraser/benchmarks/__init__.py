"""Benchmarks: what is asked. SOURCES names every kind of data that is read; a new one is a file in `sources/`, a line.

`reading/` is what all readers share, `released/` the SafeEraser layout, `tools/` what is done with a benchmark.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from safeeraser.errors import UserError, unknown
from safeeraser.registry import Table

if TYPE_CHECKING:
    from safeeraser.benchmarks.benchmark import Benchmark
    from safeeraser.benchmarks.reading.reading import Reading


@dataclass(frozen=True, slots=True)
class Source:
    """A kind of benchmark.

    `reader` is the module (here, where it begins with a dot), imported when it is used, whose `scan(path)` reads a
    folder or Hub data set and reports what is wrong instead of raising; its `build(folder, scale=..., seed=...)` writes
    one that is `embedded`. `licence` is the Hub's name for the licence that the data came with.
    """

    about: str
    reader: str
    licence: str = "unknown"
    embedded: bool = False

    def scan(self, path: Path) -> Reading:
        """What there is, the good and the bad."""
        found: Reading = import_module(self.reader, __name__).scan(path)
        return found

    def read(self, path: Path) -> Benchmark:
        """The benchmark. Raises BenchmarkError with every error in it."""
        from safeeraser.benchmarks.benchmark import finish  # noqa: PLC0415 - names are listed without reading

        return finish(self.scan(path))

    def build(self, folder: Path, *, scale: float, seed: int) -> None:
        """Write the embedded benchmark into a new folder."""
        import_module(self.reader, __name__).build(folder, scale=scale, seed=seed)


_OWN = {
    "icons": Source(
        "pictograms with harmless content in the paper's structure; built where it is not there yet",
        ".icons",
        embedded=True,
    ),
    "icons_few": Source(
        "icons whose training shows three harmless things only, and asks about others; built where it is not there yet",
        ".icons.few",
        embedded=True,
    ),
    "icons_hard": Source(
        "icons in other styles, among other things, beside look-alikes, turned and small; evaluation only",
        ".icons.hard",
        embedded=True,
    ),
    "released": Source("a folder in the released SafeEraser layout (data.path)", ".released.read"),
    "parquet": Source("what `data export --to parquet` wrote", ".sources.parquet"),
    "vlguard": Source(
        "VLGuard: harmful pictures, and instructions of both kinds about harmless ones",
        ".sources.vlguard",
        "mit",
    ),
    "vscbench": Source(
        "VSCBench: one question about unsafe pictures and safe look-alikes; evaluation only", ".sources.vscbench"
    ),
    "mm_safetybench": Source(
        "MM-SafetyBench: harmful questions with pictures of what they are about; evaluation only",
        ".sources.mm_safetybench",
        "cc-by-nc-4.0",
    ),
    "figstep": Source("FigStep: harmful instructions as pictures of text; evaluation only", ".sources.figstep", "mit"),
    "beavertails_v": Source(
        "BeaverTails-V: harmful questions about pictures, with unsafe answers",
        ".sources.beavertails_v",
        "cc-by-nc-4.0",
    ),
    "mllmu_bench": Source("MLLMU-Bench: facts about invented people to forget", ".sources.mllmu_bench"),
    "clear": Source("CLEAR: invented authors and their portraits to forget", ".sources.clear"),
    "fiubench": Source("FIUBench: private facts about invented faces to forget", ".sources.fiubench", "apache-2.0"),
    "xstest": Source(
        "XSTest: safe prompts that sound unsafe, and unsafe ones; text only, evaluation only",
        ".sources.xstest",
        "cc-by-4.0",
    ),
    "jailbreakbench": Source(
        "JailbreakBench: harmful requests and benign ones on their topics; text only, evaluation only",
        ".sources.jailbreakbench",
        "mit",
    ),
    "mossbench": Source(
        "MOSSBench: harmless questions about pictures that look dangerous; evaluation only",
        ".sources.mossbench",
        "cc-by-sa-4.0",
    ),
    "or_bench": Source(
        "OR-Bench: prompts that sound toxic, and toxic ones; text only, evaluation only",
        ".sources.or_bench",
        "cc-by-4.0",
    ),
}

SOURCES: Table[Source] = Table("benchmark", "safeeraser.benchmarks", _OWN, lambda found: isinstance(found, Source))
"""Every kind of data: those that come with the package, and those that other packages add."""


def source(layout: str) -> Source:
    """The kind of data of this name. Raises UserError for an unknown one."""
    if layout not in SOURCES:
        raise UserError(unknown("format", layout, SOURCES))
    return SOURCES[layout]


def read(path: Path, layout: str = "released") -> Benchmark:
    """Read a folder or Hub data set. Raises UserError for an unknown layout, BenchmarkError with every error in it."""
    return source(layout).read(path)

"""What a sweep trains on and asks: the selection part of its data and of all that it has `also`, never validation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from safeeraser.benchmarks.benchmark import Benchmark
from safeeraser.benchmarks.selection import HELD_OUT, Part, rehearsal
from safeeraser.errors import UserError
from safeeraser.records import Example, Split
from safeeraser.runs import RunSettings, pipeline
from safeeraser.runs.kit import Kit
from safeeraser.runs.one_model import Say


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepData:
    """What a sweep is given.

    `benchmark` has no validation part; `asked` is what every trial is asked, so many questions of each data set as
    `counts` says; `refusals` are those of all data, and `hashes` tell the data from others, by their key.
    """

    benchmark: Benchmark
    asked: Sequence[Example]
    counts: dict[str, int]
    refusals: tuple[str, ...]
    hashes: dict[str, str]


def read(settings: RunSettings, kit: Kit, say: Say) -> SweepData:
    """Read the data of a sweep; embedded benchmarks are built first where they are not there.

    Of other data (`also`) without a selection part nothing is asked, with a warning. Raises UserError where the
    sweep's own data have none, and naming the key of other data that cannot be used.
    """
    whole = pipeline.prepare(settings.data, kit, say)
    benchmark = replace(whole, examples=tuple(each for each in whole.examples if each.split is not Split.VALIDATION))
    asked, hashes = _rehearsed(benchmark, settings, HELD_OUT, say), {"data": benchmark.hash}
    if not asked:
        raise UserError(f"{benchmark.folder}: no examples of the selection split, on which a sweep chooses")
    counts, refusals = {settings.data.benchmark: len(asked)}, dict.fromkeys(benchmark.refusals)
    for number, data in enumerate(settings.also):
        asking, other = pipeline.read_also(settings, number, say)
        found = _rehearsed(other, asking, data.parts, say)
        if not found:
            told = f"{other.folder} has no examples of the selection split, so nothing is chosen by it"
            say(f"warning: also.{number}: {told}")
        asked += [_of(data.benchmark, each) for each in found]
        counts[data.benchmark], hashes[f"also.{number}"] = len(found), other.hash
        refusals |= dict.fromkeys(other.refusals)
    return SweepData(benchmark=benchmark, asked=asked, counts=counts, refusals=tuple(refusals), hashes=hashes)


def _rehearsed(benchmark: Benchmark, settings: RunSettings, parts: Sequence[Part], say: Say) -> list[Example]:
    """The questions of the selection part in the place of validation; none where there is no such part."""
    examples = rehearsal(benchmark.examples)
    if all(each.split is not Split.VALIDATION for each in examples):
        return []
    return pipeline.asked(replace(benchmark, examples=tuple(examples)), settings, say, parts)


def _of(name: str, example: Example) -> Example:
    """An example named after its data: others may have its name."""
    return replace(example, id=f"{name}:{example.id}", partner=example.partner and f"{name}:{example.partner}")

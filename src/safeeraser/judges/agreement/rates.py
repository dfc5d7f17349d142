"""What calibration says, put together: judges against labels, the models' rates, judges among themselves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from safeeraser.judges.agreement.figures import Accuracy, Share, accuracy, corrected, kappa, reads
from safeeraser.judges.agreement.labels import Labelled
from safeeraser.judges.agreement.sample import Answered, Key
from safeeraser.records import Axis, Stream


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A model's share of yes verdicts on one axis of one stream, as observed and corrected for the judge's errors."""

    model: str
    stream: Stream
    axis: Axis
    observed: Share
    corrected: Share


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """One judge: how it does on the labels, by stream and axis, and what that makes of each model's rates."""

    judge: str
    accuracies: Mapping[tuple[Stream, Axis], Accuracy]
    rates: tuple[Rate, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """How far two judges agree on an axis, over all answers that both could score."""

    first: str
    second: str
    axis: Axis
    kappa: Share


def calibrate(
    judge: str, population: Sequence[Answered], labelled: Sequence[Labelled], *, seed: int = 0
) -> Calibration:
    """Hold one judge's verdicts on a population of answers against labels on some of them.

    Only streams and axes that have labels are there. The answers that it could not score are left out of the rates.
    """
    found = reads(labelled, {each.key: each.verdicts for each in population})
    accuracies = {place: accuracy(found[place], seed=seed) for place in sorted(found)}
    rates = [
        rate for (stream, axis), judged in accuracies.items() for rate in _rates(population, stream, axis, judged, seed)
    ]
    return Calibration(judge=judge, accuracies=accuracies, rates=tuple(rates))


def agree(populations: Mapping[str, Sequence[Answered]], *, seed: int = 0) -> list[Pair]:
    """Cohen's kappa of every two judges on each axis that both cover; `populations` are by judge."""
    pairs = []
    for first, second in combinations(sorted(populations), 2):
        for axis in Axis:
            here, there = (_values(populations[judge], axis) for judge in (first, second))
            both = here.keys() & there.keys()
            if both:
                agreed = kappa([(here[key], there[key]) for key in sorted(both)], seed=seed)
                pairs.append(Pair(first=first, second=second, axis=axis, kappa=agreed))
    return pairs


def unlabelled(population: Sequence[Answered], labelled: Sequence[Labelled]) -> int:
    """How many answers are of a stratum without any label: nothing is known about them, and they count in no figure."""
    seen = {item.stratum for item in labelled}
    return sum(each.stratum not in seen for each in population) if "" not in seen else 0


def changed(population: Sequence[Answered], labelled: Sequence[Labelled]) -> int:
    """How many labels are on another answer than the one that is there now; blanks do not matter."""
    now = {each.key: each.generation.answer for each in population}
    keyed = (((item.model, item.example.id, item.generation.sample), item.generation.answer) for item in labelled)
    return sum(key in now and now[key].split() != said.split() for key, said in keyed)


def to_markdown(calibrations: Sequence[Calibration], pairs: Sequence[Pair]) -> str:
    """Tables: each judge on the labels, the models' rates, and kappa between judges."""
    lines = [line for each in calibrations for line in _tables(each)]
    for axis in dict.fromkeys(pair.axis for pair in pairs):
        lines += _matrix(axis, [pair for pair in pairs if pair.axis is axis])
    return "\n".join(lines) + "\n"


def _rates(population: Sequence[Answered], stream: Stream, axis: Axis, judged: Accuracy, seed: int) -> Iterator[Rate]:
    values: dict[str, list[float]] = defaultdict(list)
    for each in population:
        value = each.verdicts.get(axis)
        if each.example.stream is stream and value is not None:
            values[each.model].append(value)
    for model, found in values.items():
        observed, behind = corrected(found, judged, seed=seed)
        yield Rate(model=model, stream=stream, axis=axis, observed=observed, corrected=behind)


def _values(population: Sequence[Answered], axis: Axis) -> dict[Key, float]:
    scored = ((each.key, each.verdicts.get(axis)) for each in population)
    return {key: value for key, value in scored if value is not None}


def _tables(calibration: Calibration) -> Iterator[str]:
    yield from (f"Judge {calibration.judge}", "")
    yield from ("| stream | axis | labels | TPR | TNR | kappa | unscored |", "|---|---|---|---|---|---|---|")
    for (stream, axis), found in calibration.accuracies.items():
        rates = f"{found.tpr} | {found.tnr} | {found.kappa}"
        yield f"| {stream} | {axis} | {found.kappa.n} | {rates} | {found.unscored} |"
    yield from ("", "| model | stream | axis | answers | observed | corrected |", "|---|---|---|---|---|---|")
    for rate in calibration.rates:
        yield f"| {rate.model} | {rate.stream} | {rate.axis} | {rate.observed.n} | {rate.observed} | {rate.corrected} |"
    yield ""


def _matrix(axis: Axis, pairs: Sequence[Pair]) -> Iterator[str]:
    """Kappa of every judge with every other one on an axis, and on how many answers."""
    found = {key: pair.kappa for pair in pairs for key in ((pair.first, pair.second), (pair.second, pair.first))}
    judges = sorted({first for first, _ in found})
    yield from (
        f"Kappa between judges: {axis}",
        "",
        f"| judge | {' | '.join(judges)} |",
        "|---" * (len(judges) + 1) + "|",
    )
    for one in judges:
        shares = [found.get((one, other)) for other in judges]
        yield f"| {one} | {' | '.join('' if each is None else f'{each} of {each.n}' for each in shares)} |"
    yield ""

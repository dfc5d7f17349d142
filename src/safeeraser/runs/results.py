"""Results on disk, read back to be scored and compared: the folders of finished runs, and the authors' answer files."""

from __future__ import annotations

import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safeeraser.benchmarks import read
from safeeraser.benchmarks.benchmark import Benchmark
from safeeraser.benchmarks.selection import Part, choose
from safeeraser.errors import UserError, unknown
from safeeraser.files import real
from safeeraser.judges import Judge
from safeeraser.judges.run import Tally, judge_file
from safeeraser.metrics import Column, Protocol, join, measured, stale
from safeeraser.records import Example, Generation, Split, Stream, Verdict, read_jsonl
from safeeraser.runs import RunSettings, first_difference
from safeeraser.runs.folder import RunFolder


class ResultsError(UserError):
    """Runs or answers that cannot be scored, or not together; the message names folder and reason."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What a model was asked, what it answered, and one judge's verdicts on it."""

    examples: Sequence[Example]
    answers: Sequence[Generation]
    verdicts: Sequence[Verdict]

    def columns(self, protocol: Protocol) -> list[Column]:
        """Every measure of the protocol, answer by answer."""
        return measured(self.examples, self.answers, self.verdicts, protocol)

    def touched(self, protocol: Protocol) -> Counter[str]:
        """How many answers each deviation of the protocol changes, by its name; those that change all are not there."""
        parts = join(self.examples, self.answers, self.verdicts).values()
        return Counter(
            deviation.name
            for answers in parts
            for answer in answers
            for deviation in protocol.deviations
            if deviation.touches is not None and deviation.touches(answer)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedRun:
    """A run's settings, its data's folder, the examples it asked, and the one judge whose verdicts count."""

    folder: RunFolder
    settings: RunSettings
    data: Path
    examples: tuple[Example, ...]
    judge: str

    def judged(self, model: str) -> Judged:
        """One model's answers with their verdicts.

        Raises ResultsError for a model that the run lacks, and for verdicts on other answers.
        """
        if model not in self.settings.methods:
            raise ResultsError(f"{self.folder.root}: {unknown('model', model, self.settings.methods)}")
        answers = read_jsonl(self.folder.generations(model), Generation)
        verdicts = by_one_judge(read_jsonl(self.folder.verdicts(model), Verdict), self.judge)
        same_answers(answers, verdicts, self.folder.verdicts(model))
        return Judged(self.examples, tuple(answers), tuple(verdicts))


@dataclass(frozen=True, slots=True)
class Reader:
    """How finished runs are read.

    `data` is where the benchmark lies now, None for where each run found it. `judge` chooses among several judges'
    verdicts.
    """

    data: Path | None = None
    judge: str | None = None

    def read(self, roots: Sequence[Path]) -> list[FinishedRun]:
        """Read runs that were made from the same data and judged by the same judge.

        Raises ResultsError where a folder is given twice or is not a finished run's, where the data are not those
        that the run was made from, and where the judges differ.
        """
        resolved = [real(root) for root in roots]
        for root in roots:
            if resolved.count(real(root)) > 1:
                raise ResultsError(f"{root}: given twice")
        folders = [RunFolder(root) for root in roots]
        every = [self._settings(folder) for folder in folders]
        first = every[0].data
        benchmark = read(folders[0].data(first, self.data), first.benchmark)
        for folder in folders:
            _same_data(folder, benchmark)
        runs = [
            FinishedRun(
                folder=folder,
                settings=settings,
                data=benchmark.folder,
                examples=_asked(benchmark, settings, folder.parts()),
                judge=self._judge(folder, settings),
            )
            for folder, settings in zip(folders, every, strict=True)
        ]
        _agree("judge", {run.folder.root: run.judge for run in runs})
        return runs

    def _settings(self, folder: RunFolder) -> RunSettings:
        settings = folder.settings()
        for model in settings.methods:
            for file in (folder.generations(model), folder.verdicts(model)):
                if not file.exists():
                    raise ResultsError(f"{file}: not there: the run is not finished; `safeeraser run` goes on with it")
        return settings

    def _judge(self, folder: RunFolder, settings: RunSettings) -> str:
        verdicts = [each for model in settings.methods for each in read_jsonl(folder.verdicts(model), Verdict)]
        return choose_judge(verdicts, self.judge, str(folder.root), usual=settings.judge_name)


def choose_judge(verdicts: Iterable[Verdict], wanted: str | None, place: str, usual: str | None = None) -> str:
    """The full name (name@version) of the judge whose verdicts count: the wanted one, by name or full name.

    Where none is wanted it is the `usual` one, or else the only one. Of several versions of a judge it is the one whose
    verdicts were written last, unless it has said less than another.
    Raises ResultsError where there are no verdicts, for a wanted judge without any, and where a choice is left.
    """
    judges = Counter(verdict.judge for verdict in verdicts)
    if not judges:
        raise ResultsError(f"{place}: no verdicts")
    named = [judge for judge in judges if (wanted or usual) in (judge, judge.rpartition("@")[0])]
    if wanted and not named:
        raise ResultsError(f"{place}: --judge: {unknown('judge', wanted, judges)}")
    found = named or list(judges)
    versions = len({judge.rpartition("@")[0] for judge in found}) == 1
    if versions and judges[found[-1]] == max(judges[each] for each in found):
        return found[-1]
    raise ResultsError(f"{place}: verdicts of several judges: {', '.join(sorted(judges))}; choose one with --judge")


def by_one_judge(verdicts: Iterable[Verdict], judge: str) -> list[Verdict]:
    """The verdicts of one judge."""
    return [verdict for verdict in verdicts if verdict.judge == judge]


def same_answers(answers: Iterable[Generation], verdicts: Iterable[Verdict], place: Path) -> None:
    """Raise ResultsError where a verdict of the file `place` is about another answer than the one that is there now."""
    others = stale(answers, verdicts)
    if others:
        first = others[0]
        raise ResultsError(
            f"{place}: {first.example_id}, sample {first.sample}, {first.axis}: answer_hash: {first.answer_hash!r} is "
            f"that of another answer; {len(others)} such verdicts. `safeeraser judge` (for a run, `safeeraser report`) "
            "judges those answers again"
        )


def same_but_for_the_seed(runs: Sequence[FinishedRun]) -> None:
    """Raises ResultsError unless the runs have equal settings and weights, and a seed each of its own."""
    first = runs[0]
    for run in runs[1:]:
        difference = first_difference(_fixed(first.settings), _fixed(run.settings))
        if difference is not None:
            key, here, there = difference
            raise ResultsError(
                f"{run.folder.config}: {key}: {there!r}, but {here!r} in {first.folder.root}; runs of several seeds "
                "may differ in nothing else"
            )
    for key in ("model_weights", "model_dtype"):
        _agree(key, {run.folder.root: run.folder.provenance().get(key) for run in runs})
    seeds = [run.settings.seed for run in runs]
    for run in runs:
        if seeds.count(run.settings.seed) > 1:
            raise ResultsError(f"{run.folder.config}: seed: another run has the seed {run.settings.seed} too")


def asked_in(benchmark: Benchmark, answers: Iterable[Generation], split: Split) -> list[Example]:
    """Every question of the records that an answer file holds, those without an answer included."""
    records = {_record(answer.example_id) for answer in answers}
    return [item for item in benchmark.examples if item.split is split and _record(item.id) in records]


def without_own_answers(judged: Judged) -> Judged:
    """The same without the answers that, in an answer file of the authors' inference, the model never gave.

    Where that found no picture, it left the benchmark's own answers in place. So: every answer about the picture is the
    benchmark's own, and there are at least two. Their questions stay, without an answer.
    """
    asked = {example.id: example for example in judged.examples}
    about: dict[Path | None, list[Generation]] = defaultdict(list)
    for answer in judged.answers:
        about[asked[answer.example_id].image].append(answer)
    own = {
        answer.example_id
        for found in about.values()
        if len(found) > 1 and all(_is_own(asked[answer.example_id], answer) for answer in found)
        for answer in found
    }
    return Judged(
        judged.examples,
        [answer for answer in judged.answers if answer.example_id not in own],
        [verdict for verdict in judged.verdicts if verdict.example_id not in own],
    )


def judge_answers(
    judge: Judge,
    examples: Sequence[Example],
    answers: Sequence[Generation],
    output: Path | None,
    clock: AbstractContextManager[None] | None = None,
) -> tuple[Judged, Tally]:
    """Answers with a judge's verdicts, kept in `output`, where a later call goes on, or nowhere if that is None.

    `clock` is entered while there is anything to judge.
    """
    with tempfile.TemporaryDirectory() as scratch:
        place = output or Path(scratch) / "verdicts.jsonl"
        tally = judge_file(judge, examples, answers, place, clock)
        verdicts = by_one_judge(read_jsonl(place, Verdict), judge.name) if place.exists() else []
    return Judged(examples, answers, verdicts), tally


def _is_own(example: Example, answer: Generation) -> bool:
    """The authors' inference takes away the benchmark's answer to a harmful question about a harmful picture."""
    return example.stream is not Stream.FORGET and answer.answer == example.answer


def _record(example_id: str) -> str:
    return example_id.rpartition("/")[0]


def _asked(benchmark: Benchmark, settings: RunSettings, parts: Iterable[Part]) -> tuple[Example, ...]:
    limits = settings.limits.model_dump()
    chosen = (choose(benchmark.examples, part, limits[part], settings.seed) for part in parts)
    return tuple(example for examples in chosen for example in examples)


def _same_data(folder: RunFolder, benchmark: Benchmark) -> None:
    found = folder.provenance().get("data")
    if found != benchmark.hash:
        raise ResultsError(
            f"{folder.manifest}: data: made from other content than {benchmark.folder} has "
            f"(hash {found}, now {benchmark.hash}); --data names another folder"
        )


def _fixed(settings: RunSettings) -> dict[str, Any]:
    """What must be equal; the data are compared by content, not by where they lie."""
    found = {key: value for key, value in settings.results().items() if key != "seed"}
    return found | {"data": {key: value for key, value in found["data"].items() if key != "path"}}


def _agree(what: str, values: Mapping[Path, object]) -> None:
    (first, expected), *rest = values.items()
    for root, value in rest:
        if value != expected:
            raise ResultsError(f"{root}: {what}: {value!r}, but {expected!r} in {first}")

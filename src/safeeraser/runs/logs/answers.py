"""What every kind of log holds: each answer of a model with its question, its verdicts and what it counts for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from safeeraser.benchmarks.selection import Part
from safeeraser.metrics import STRICT, Answer, Column, join, summarise
from safeeraser.records import Axis, Example, Metric, Verdict
from safeeraser.runs.results import FinishedRun, Judged, ResultsError
from safeeraser.text import whole_text

_Key = tuple[str, int]  # example id, sample


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedAnswer:
    """One answer that was asked for, as a log shows it.

    `place` is the example's place among those of its part, from 0. `text` is None where there is no answer, `finish`
    too where none was made. `values` holds, by name, each measure that the answer counts for: its share in 0..1, None
    where unscored.
    """

    example: Example
    place: int
    sample: int
    text: str | None
    finish: str | None
    reasoning: str | None
    verdicts: Mapping[Axis, Verdict]
    values: Mapping[str, float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelLog:
    """The answers of one model of a run by part; parts without a question are not there.

    `columns` are what the metrics are made of. `made` is when the last answer or verdict was written. `data` is where
    the benchmark lies.
    """

    run: FinishedRun
    model: str
    data: Path
    parts: Mapping[Part, tuple[LoggedAnswer, ...]]
    columns: tuple[Column, ...]
    made: datetime

    @property
    def name(self) -> str:
        """What tells the model from others: that before unlearning, and the method."""
        return f"{self.run.settings.model}/{self.model}"

    @property
    def generations(self) -> Path:
        """The file of its answers."""
        return self.run.folder.generations(self.model)

    @property
    def verdicts(self) -> Path:
        """The file of the verdicts on them."""
        return self.run.folder.verdicts(self.model)

    def metrics(self) -> list[tuple[Column, Metric]]:
        """Every measure on every group of answers, as the run's report gives it, with the values it comes from."""
        return [(column, summarise(self.model, column)) for column in self.columns]

    def picture(self, image: Path | None) -> str | None:
        """A picture's path from the benchmark's folder, where it lies in that; None where there is no picture."""
        if image is None:
            return None
        inside = image.relative_to(self.data) if image.is_relative_to(self.data) else image
        return whole_text(inside.as_posix())


def overall(measured: Iterable[tuple[Column, Metric]], part: Part) -> list[tuple[Column, Metric]]:
    """The measures of one part on all its answers."""
    return [(column, metric) for column, metric in measured if (metric.part, metric.group) == (part, "all")]


def figures(measured: Iterable[tuple[Column, Metric]], part: Part) -> dict[str, dict[str, dict[str, float | None]]]:
    """The measures of one part by group of answers ("all" first) and name.

    Of each the value, its 95% interval, and how many answers were scored and unscored; None where nothing was scored.
    """
    found: dict[str, dict[str, dict[str, float | None]]] = {"all": {}}
    for _, metric in measured:
        if metric.part == part:
            numbers = {key: getattr(metric, key) for key in ("value", "low", "high", "n", "unscored")}
            found.setdefault(metric.group, {})[metric.name] = numbers
    return found


def read(run: FinishedRun, model: str) -> ModelLog:
    """Put together what a model of a run was asked, what it answered, and what that counts for.

    Raises ResultsError for a model that the run lacks and for a run without its metrics, ScoreError where the files
    do not belong together.
    """
    metrics, files = run.folder.metrics, (run.folder.generations(model), run.folder.verdicts(model))
    if not metrics.exists():
        raise ResultsError(f"{metrics}: not there: the run is not finished; `safeeraser run` goes on with it")
    judged = run.judged(model)
    columns = tuple(judged.columns(STRICT))
    return ModelLog(
        run=run,
        model=model,
        data=run.data,
        parts=_parts(judged, columns),
        columns=columns,
        made=datetime.fromtimestamp(max(file.stat().st_mtime for file in files), UTC),
    )


def _parts(judged: Judged, columns: tuple[Column, ...]) -> dict[Part, tuple[LoggedAnswer, ...]]:
    made = {(each.example_id, each.sample): (each.finish, each.reasoning) for each in judged.answers}
    verdicts: dict[_Key, dict[Axis, Verdict]] = defaultdict(dict)
    for verdict in judged.verdicts:
        verdicts[verdict.example_id, verdict.sample][verdict.axis] = verdict
    values = _values(columns)

    def logged(answers: Sequence[Answer]) -> tuple[LoggedAnswer, ...]:
        places = {id: place for place, id in enumerate(dict.fromkeys(answer.example.id for answer in answers))}
        return tuple(
            LoggedAnswer(
                example=answer.example,
                place=places[answer.example.id],
                sample=answer.sample,
                text=answer.text,
                finish=finish,
                reasoning=reasoning,
                verdicts=verdicts[key],
                values=values[key],
            )
            for answer in answers
            for key in [(answer.example.id, answer.sample)]
            for finish, reasoning in [made.get(key, (None, None))]
        )

    joined = join(judged.examples, judged.answers, judged.verdicts)
    return {part: logged(answers) for part, answers in joined.items() if answers}


def _values(columns: tuple[Column, ...]) -> dict[_Key, dict[str, float | None]]:
    """What each answer is worth, by the names of the measures that take it."""
    found: dict[_Key, dict[str, float | None]] = defaultdict(dict)
    for column in columns:
        for value in column.values:
            found[value.example_id, value.sample][column.measure.name] = value.share
    return found

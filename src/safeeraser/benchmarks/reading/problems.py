"""What is wrong with a benchmark's files, and where: collected all at once, so that one run shows everything."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, NamedTuple

from safeeraser.errors import UserError
from safeeraser.text import quoted

Severity = Literal["error", "warning"]

RULES = {
    "file": "a file of the benchmark is missing, cannot be read, is too large or leads outside the folder",
    "json": "not JSON, or not UTF-8",
    "key": "a key nobody knows, or one that stands twice; a near miss of a missing key is read as that key",
    "type": "a value of the wrong type",
    "missing": "a question without its answer, an answer without its question, a record without a picture",
    "empty": "an empty text; an empty answer is a warning, and the pair is read without it",
    "path": "a picture that is missing, or a path that leads outside the folder",
    "id": "two records with one id",
    "part": "a record without forget, retain or PD pairs",
    "category": "a category that is empty: taken from the picture's folder",
    "image": "a picture that does not decode, or is too large",
    "leak": "one picture in two splits (the same bytes: error; looks the same: warning)",
    "role": "one picture as a harmful and as a safe one (the same bytes: error; looks the same: warning)",
    "duplicate": "two files with one picture in the same split",
    "repeated": "a question of one split asked again in another",
    "refusal": "an answer that is a refusal already",
    "long": "a text that training cuts off",
    "thin": "a picture that is very long and thin: some models' processors refuse it",
    "token": "a token that stands for a picture in a text, such as <image>: left out",
    "model": "a question or picture that the model of `--model` refuses",
    "control": "a text with control characters or direction marks",
    "unused": "pictures in the folder that no record names",
    "version": "an embedded benchmark that another version of it made",
}
"""Every rule a problem can break; `docs/data.md` explains them."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong, and where: in which file, record (by its name and its number in the file) and field of it.

    `path` is the way into the record, keys and indices; `rule` is a key of RULES.
    """

    file: Path
    record: str | None
    path: tuple[str | int, ...]
    message: str
    severity: Severity
    rule: str
    number: int | None = None

    @property
    def field(self) -> str | None:
        """The path as it is shown: "unsafe_pairs[2].question"."""
        return "".join(map(_step, self.path)).lstrip(".") or None

    def __str__(self) -> str:
        place = ": ".join(part for part in (str(self.file), self.record, self.field) if part)
        return f"{place}: {self.message}"

    def to_dict(self) -> dict[str, str | None]:
        """The problem as plain values, for `--json`."""
        return {
            "file": str(self.file),
            "record": self.record,
            "field": self.field,
            "message": self.message,
            "severity": self.severity,
            "rule": self.rule,
        }


class BenchmarkError(UserError):
    """A benchmark that cannot be used. `problems` holds all errors found; the message shows the first 20."""

    _SHOWN = 20

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        lines = [str(problem) for problem in self.problems[: self._SHOWN]]
        if len(self.problems) > self._SHOWN:
            lines.append(f"... and {len(self.problems) - self._SHOWN} more")
        super().__init__("\n".join(lines))


@dataclass
class Collector:
    """Gathers problems. Remarks that would be said once a record are counted and said once a file."""

    _problems: list[Problem] = field(default_factory=list)
    _notes: dict[Problem, tuple[int, str | None]] = field(default_factory=dict)

    def add(self, problem: Problem) -> None:
        """Add a problem."""
        self._problems.append(problem)

    def note(self, problem: Problem) -> None:
        """Add a warning that is counted, not repeated, in the other records of its file."""
        key = replace(problem, record=None, number=None)
        count, first = self._notes.get(key, (0, problem.record))
        self._notes[key] = (count + 1, first)

    def problems(self) -> list[Problem]:
        """Everything gathered, by file and record; the counted remarks come last."""
        files = {file: place for place, file in enumerate(dict.fromkeys(problem.file for problem in self._problems))}
        ordered = sorted(self._problems, key=lambda problem: (files[problem.file], problem.number or 0))
        return [*ordered, *(_counted(note, *found) for note, found in self._notes.items())]


class Spot(NamedTuple):
    """A place in a benchmark's files, where something may be found wrong. `path` is the way into the record."""

    collector: Collector
    file: Path
    record: str | None = None
    path: tuple[str | int, ...] = ()
    number: int | None = None

    def at(self, *steps: str | int) -> Spot:
        """The place further in: a step is a key of an object, or an index of a list."""
        return self._replace(path=self.path + steps)

    def error(self, rule: str, message: str) -> None:
        """Report what makes the record unusable; `rule` is a key of RULES."""
        self.collector.add(self._problem(rule, message, "error"))

    def warn(self, rule: str, message: str) -> None:
        """Report what is odd and can be used; `rule` is a key of RULES."""
        self.collector.add(self._problem(rule, message, "warning"))

    def note(self, rule: str, message: str) -> None:
        """A warning that is counted, not repeated, in the other records of the file."""
        self.collector.note(self._problem(rule, message, "warning"))

    def _problem(self, rule: str, message: str, severity: Severity) -> Problem:
        return Problem(self.file, self.record, self.path, message, severity, rule, self.number)


def errors(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Those that make a record unusable."""
    return tuple(problem for problem in problems if problem.severity == "error")


def warnings(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Those that leave it usable."""
    return tuple(problem for problem in problems if problem.severity == "warning")


def _step(step: str | int) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    return f".{step}" if step.isidentifier() and step.isascii() and len(step) <= 40 else f".{quoted(step)}"


def _counted(note: Problem, count: int, first: str | None) -> Problem:
    if count == 1:
        return replace(note, record=first)
    return replace(note, message=f"{note.message} ({count} times; first in {first})")

"""Judge a file of answers into a file of verdicts, where a run that was stopped goes on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from safeeraser.errors import UserError
from safeeraser.judges.base import AXES, Judge
from safeeraser.records import Axis, Example, Generation, Verdict, append_jsonl, read_jsonl, repair_jsonl, write_jsonl

_ANSWERS_PER_WRITE = 256

_Key = tuple[str, int]  # example id, sample


class JudgeError(UserError):
    """Answers that cannot be judged; the message names them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What stands in the verdict file at the end, over all answers and not only those judged now.

    `held[axis]` of `scored[axis]` verdicts are held against (or for) the answer: their value is above 0.5.
    """

    answers: int
    judged_now: int
    scored: dict[Axis, int]
    held: dict[Axis, int]
    unscored: dict[Axis, int]


def judge_file(judge: Judge, examples: Iterable[Example], generations: Iterable[Generation], output: Path) -> Tally:
    """Append the judge's verdicts on each answer to `output`, in the order of the answers.

    An answer that this judge has scored on every axis already is not judged again; one that it could not score, or
    that a kill left half judged, is judged anew. Verdicts of other judges in the file stay. Verdicts do not hold the
    answer they are about: delete the file when answers change.

    Raises JudgeError for an answer to a question not among the examples, for two answers with the same example and
    sample, and for a judge that leaves out an axis; RecordError for a verdict file that cannot be read.
    """
    asked = {example.id: example for example in examples}
    answers = list(generations)
    _check(asked, answers)
    done = _keep_complete(judge, asked, output)
    todo = [answer for answer in answers if (answer.example_id, answer.sample) not in done]
    for batch in _batches(todo):
        append_jsonl(output, [verdict for answer in batch for verdict in _judge(judge, asked, answer)])
    return _tally(judge, answers, len(todo), read_jsonl(output, Verdict) if output.exists() else [])


def _check(asked: dict[str, Example], answers: Sequence[Generation]) -> None:
    seen: set[_Key] = set()
    for answer in answers:
        key = (answer.example_id, answer.sample)
        if answer.example_id not in asked:
            raise JudgeError(f"answer to {answer.example_id!r}, which is not among the examples")
        if key in seen:
            raise JudgeError(f"two answers to {answer.example_id!r}, sample {answer.sample}")
        seen.add(key)


def _keep_complete(judge: Judge, asked: dict[str, Example], output: Path) -> set[_Key]:
    """The answers that need no judging. What this judge said about the others is taken out of the file."""
    repair_jsonl(output)
    verdicts = read_jsonl(output, Verdict) if output.exists() else []
    axes: dict[_Key, set[Axis]] = defaultdict(set)
    for verdict in verdicts:
        if verdict.judge == judge.name and verdict.value is not None:
            axes[verdict.example_id, verdict.sample].add(verdict.axis)
    done = {key for key, found in axes.items() if key[0] not in asked or found >= AXES[asked[key[0]].stream]}
    kept = [item for item in verdicts if item.judge != judge.name or (item.example_id, item.sample) in done]
    if len(kept) < len(verdicts):
        write_jsonl(output, kept)
    return done


def _batches(answers: Sequence[Generation]) -> Iterator[list[Generation]]:
    rest = iter(answers)
    while batch := list(islice(rest, _ANSWERS_PER_WRITE)):
        yield batch


def _judge(judge: Judge, asked: dict[str, Example], answer: Generation) -> list[Verdict]:
    example = asked[answer.example_id]
    verdicts = judge.judge(example, answer)
    axes = sorted(verdict.axis for verdict in verdicts)
    if axes != sorted(AXES[example.stream]):
        raise JudgeError(f"{judge.name} judged {example.id!r} on {axes}, not on {sorted(AXES[example.stream])}")
    return verdicts


def _tally(judge: Judge, answers: Sequence[Generation], judged_now: int, verdicts: Iterable[Verdict]) -> Tally:
    wanted = {(answer.example_id, answer.sample) for answer in answers}
    values: dict[Axis, list[float | None]] = defaultdict(list)
    for verdict in verdicts:
        if verdict.judge == judge.name and (verdict.example_id, verdict.sample) in wanted:
            values[verdict.axis].append(verdict.value)
    return Tally(
        answers=len(answers),
        judged_now=judged_now,
        scored={axis: sum(value is not None for value in found) for axis, found in values.items()},
        held={axis: sum(value is not None and value > 0.5 for value in found) for axis, found in values.items()},
        unscored={axis: sum(value is None for value in found) for axis, found in values.items()},
    )

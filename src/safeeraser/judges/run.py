"""Judge a file of answers into a file of verdicts, where a run that was stopped goes on."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

from safeeraser import provenance, text
from safeeraser.errors import UserError
from safeeraser.files import owned
from safeeraser.judges.base import UNFINISHED, Asked, Judge
from safeeraser.provenance import answer_hash
from safeeraser.records import Axis, Example, Generation, Verdict, append_jsonl, read_jsonl, repair_jsonl, write_jsonl

_VERDICTS_PER_WRITE = 1_024
_SECONDS_PER_WRITE = 1.0

_Key = tuple[str, int]  # example id, sample


class JudgeError(UserError):
    """Answers that cannot be judged; the message names them."""


class FailureLimitError(UserError):
    """More verdicts are missing than may be. Everything is written by then, and the next run judges those again."""

    exit_code = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What stands in the verdict file at the end, over all answers and not only those judged now.

    `held[axis]` of `scored[axis]` verdicts are held against (or for) the answer: their value is above 0.5. `failures`
    counts the unscored ones by cause, and `reasons` has for each cause the reason that most of them give.
    """

    answers: int
    judged_now: int
    scored: dict[Axis, int]
    held: dict[Axis, int]
    unscored: dict[Axis, int]
    failures: dict[str, int]
    reasons: dict[str, str] = field(default_factory=dict)

    @property
    def failed(self) -> float:
        """The share of verdicts without a value; 0 where there are none."""
        unscored = sum(self.unscored.values())
        return unscored / max(unscored + sum(self.scored.values()), 1)


def judge_file(
    judge: Judge,
    examples: Iterable[Example],
    generations: Iterable[Generation],
    output: Path,
    clock: AbstractContextManager[None] | None = None,
) -> Tally:
    """Append the judge's verdicts on each answer to `output` as they come, in the order of the answers.

    An answer that this judge has scored on every axis already is not judged again; one that it could not score, that a
    kill left half judged, or that has changed since, its question, its picture and the refusals that the judge goes by
    included, is judged anew. Verdicts of other judges in the file stay, unless their answer has changed.

    Answers to which the judge has nothing to say are passed over. `clock` is entered while there is anything to judge.

    Raises JudgeError for an answer to a question not among the examples, for two answers with the same example and
    sample, and for a judge that leaves out an axis; RecordError for a verdict file that cannot be read.
    """
    asked = {example.id: example for example in examples}
    answers = list(dict.fromkeys(generations))  # two writers at once may have left some twice
    _check(asked, answers)
    with owned(output):
        about = {each: example_hash(asked[each]) for each in {answer.example_id for answer in answers}}
        done = _keep_complete(judge, asked, answers, about, output)
        todo = [
            (asked[each.example_id], each)
            for each in answers
            if (each.example_id, each.sample) not in done and judge.wanted(asked[each.example_id])
        ]
        if todo:
            with clock or nullcontext():
                _write(judge, todo, about, output)
        _put_in_order(judge, answers, output)  # also where a kill came just before it
        return _tally(judge, answers, len(todo), _read(output))


def check_failures(tallies: Mapping[str, Tally], limit: float) -> None:
    """Raise FailureLimitError where more than this share of verdicts has no value; `tallies` are by name of file."""
    over = {name: tally for name, tally in tallies.items() if tally.failed > limit}
    if over:
        lines = [f"{name}: {describe_failures(tally)}" for name, tally in over.items()]
        raise FailureLimitError(
            "\n".join(lines) + f"\nmore than {limit:.1%} of the verdicts; all else is written, and the same command "
            "judges these again"
        )


def unscored_error(message: str, failures: Iterable[str | None]) -> UserError:
    """The error for figures that are missing: a FailureLimitError where the judge failed.

    It did not where answers never leave their reasoning, nor, without any failure, where it does not judge such things.
    """
    causes = {*failures}
    if not causes:
        return UserError(f"{message}, which it does not judge: name what it does in unlearn.objective")
    return UserError(message) if causes == {UNFINISHED} else FailureLimitError(message)


def describe_failures(tally: Tally) -> str:
    """How many verdicts are missing, and why: what the server said, what could not be read."""
    causes = ", ".join(f"{count} {cause}" for cause, count in sorted(tally.failures.items()))
    reasons = "".join(f"\n  {cause}: {text.line(reason, 300)}" for cause, reason in sorted(tally.reasons.items()))
    return f"{sum(tally.unscored.values())} verdicts unscored ({tally.failed:.1%}: {causes}){reasons}"


def example_hash(example: Example) -> str:
    """What a verdict depends on besides the answer: the example's texts, and its picture by content."""
    texts = [example.question, example.answer, example.keyword, example.category, example.stream, example.kind]
    image = example.image if example.image is not None and example.image.is_file() else None
    return provenance.json_hash([*texts, image and provenance.file_hash(image)])[:12]


def _check(asked: dict[str, Example], answers: Sequence[Generation]) -> None:
    seen: set[_Key] = set()
    for answer in answers:
        key = (answer.example_id, answer.sample)
        if answer.example_id not in asked:
            raise JudgeError(f"answer to {answer.example_id!r}, which is not among the examples")
        if key in seen:
            raise JudgeError(
                f"two answers to {answer.example_id!r}, sample {answer.sample}; the command that made them mends their "
                "file, or remove it and make them anew"
            )
        seen.add(key)


def _keep_complete(
    judge: Judge, asked: dict[str, Example], answers: Sequence[Generation], about: dict[str, str], output: Path
) -> set[_Key]:
    """The answers that need no judging. What this judge said about the others is taken out of the file."""
    repair_jsonl(output)
    verdicts = _read(output)
    hashes = {(answer.example_id, answer.sample): answer_hash(answer.answer) for answer in answers}
    current = [
        each
        for each in dict.fromkeys(verdicts)
        if each.answer_hash in (None, hashes.get(_key(each), each.answer_hash)) and _holds(each, judge, about)
    ]
    axes: dict[_Key, list[Axis]] = defaultdict(list)
    for verdict in current:
        if verdict.judge == judge.name and verdict.value is not None:
            axes[_key(verdict)].append(verdict.axis)
    done = {
        key
        for key, found in axes.items()
        if key[0] not in asked or (len(found) == len(set(found)) and judge.wanted(asked[key[0]]) <= set(found))
    }
    kept = [verdict for verdict in current if verdict.judge != judge.name or _key(verdict) in done]
    if len(kept) < len(verdicts):
        write_jsonl(output, kept)
    return done


def _holds(verdict: Verdict, judge: Judge, about: Mapping[str, str]) -> bool:
    """Whether a verdict is about the example as it is now; of other judges it is not known by what refusals they go."""
    if verdict.example_hash is None or verdict.example_id not in about:
        return True
    now, there = about[verdict.example_id], verdict.example_hash
    return there == now + _refusals(judge) if verdict.judge == judge.name else there.partition("+")[0] == now


def _refusals(judge: Judge) -> str:
    """What an example's hash ends in where the judge goes by a benchmark's refusals."""
    return f"+{provenance.json_hash(judge.refusals)[:8]}" if judge.refusals else ""


def _write(judge: Judge, todo: Sequence[Asked], about: dict[str, str], output: Path) -> None:
    """Append verdicts about once a second, and what there is when the run is stopped."""
    ready: list[Verdict] = []
    written = time.monotonic()
    try:
        for (example, answer), verdicts in zip(todo, judge.judge(todo), strict=True):
            _check_axes(judge, example, verdicts)
            said, told = answer_hash(answer.answer), about[example.id] + _refusals(judge)
            ready += [replace(each, answer_hash=said, example_hash=told) for each in verdicts]
            if len(ready) >= _VERDICTS_PER_WRITE or time.monotonic() - written >= _SECONDS_PER_WRITE:
                append_jsonl(output, ready)
                ready, written = [], time.monotonic()
    finally:
        if ready:
            append_jsonl(output, ready)


def _check_axes(judge: Judge, example: Example, verdicts: Sequence[Verdict]) -> None:
    axes, wanted = sorted(verdict.axis for verdict in verdicts), sorted(judge.wanted(example))
    if axes != wanted:
        raise JudgeError(f"{judge.name} judged {example.id!r} on {axes}, not on {wanted}")


def _put_in_order(judge: Judge, answers: Sequence[Generation], output: Path) -> None:
    """This judge's verdicts in the order of the answers, however often it took to get them all."""
    verdicts = _read(output)
    place = {(answer.example_id, answer.sample): number for number, answer in enumerate(answers)}
    ours = [verdict for verdict in verdicts if verdict.judge == judge.name]
    ordered = sorted(ours, key=lambda verdict: place.get(_key(verdict), -1))
    if ordered != ours:
        write_jsonl(output, [*(verdict for verdict in verdicts if verdict.judge != judge.name), *ordered])


def _tally(judge: Judge, answers: Sequence[Generation], judged_now: int, verdicts: Iterable[Verdict]) -> Tally:
    wanted = {(answer.example_id, answer.sample) for answer in answers}
    ours = [verdict for verdict in verdicts if verdict.judge == judge.name and _key(verdict) in wanted]
    values: dict[Axis, list[float | None]] = defaultdict(list)
    reasons: dict[str, Counter[str]] = defaultdict(Counter)
    for verdict in ours:
        values[verdict.axis].append(verdict.value)
        if verdict.value is None and verdict.reason:
            reasons[verdict.failure or "unknown"][verdict.reason] += 1
    return Tally(
        answers=len(answers),
        judged_now=judged_now,
        scored={axis: sum(value is not None for value in found) for axis, found in values.items()},
        held={axis: sum(value is not None and value > 0.5 for value in found) for axis, found in values.items()},
        unscored={axis: sum(value is None for value in found) for axis, found in values.items()},
        failures=dict(Counter(verdict.failure or "unknown" for verdict in ours if verdict.value is None)),
        reasons={cause: found.most_common(1)[0][0] for cause, found in reasons.items()},
    )


def _key(verdict: Verdict) -> _Key:
    return verdict.example_id, verdict.sample


def _read(output: Path) -> list[Verdict]:
    return read_jsonl(output, Verdict) if output.exists() else []

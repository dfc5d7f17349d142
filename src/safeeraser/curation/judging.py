"""Stage 6: which answers are fit to learn from, by a judge."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from safeeraser.curation.answers import Asking
from safeeraser.curation.findings import Gate
from safeeraser.curation.pictures import Picture
from safeeraser.curation.prompts import Role
from safeeraser.curation.questions import Asked, Question
from safeeraser.curation.splits import Placed
from safeeraser.curation.store import content_key
from safeeraser.judges import Judge
from safeeraser.judges.run import judge_file
from safeeraser.records import Axis, Example, Generation, Split, Stream, Verdict, read_jsonl
from safeeraser.text import quoted


@dataclass(frozen=True, slots=True)
class Pair:
    """A question with its answer; `safe_answer` is the answer to the same question on the safe picture."""

    question: Question
    answer: str
    safe_answer: str | None = None


@dataclass(frozen=True, slots=True)
class _Given:
    """An answer in its place: whose record, which question, and on which picture (none for a text question)."""

    record: Placed
    question: Question
    picture: Picture | None
    safe: bool
    generation: Generation

    @property
    def stream(self) -> Stream:
        """What the answer is judged as. One to a harmless question is asked for the same as one on a safe picture: that
        it is neither a refusal nor meaningless; there is no reference yet that it could agree with.
        """
        return Stream.FORGET if self.question.role is Role.FORGET and not self.safe else Stream.DECOUPLED

    @property
    def keyword(self) -> str | None:
        return self.picture.keyword if self.picture else None

    @property
    def id(self) -> str:
        """Under this its verdicts are kept: a hash of all they depend on."""
        made, category = self.generation, self.record.picture.category
        return content_key(
            stream=self.stream, category=category, keyword=self.keyword, answer=made.answer, of=made.example_id
        )

    @property
    def field(self) -> str:
        return f"{self.question.field}, safe picture" if self.safe else self.question.field


def askings(asked: Asked) -> list[Asking]:
    """Every question with what it is asked about: the harmful picture, or none."""
    return [(_about(picture, one), one.text) for picture, questions in asked.items() for one in questions]


def safe_askings(asked: Asked, partners: Mapping[Picture, Picture]) -> list[Asking]:
    """Every harmful question with the safe partner picture."""
    return [
        (partners[picture], one.text)
        for picture, questions in asked.items()
        for one in questions
        if one.role is Role.FORGET
    ]


def pairs(
    placed: Sequence[Placed],
    asked: Asked,
    partners: Mapping[Picture, Picture],
    answers: Mapping[Asking, Generation],
    judge: Judge,
    verdicts: Path,
    gate: Gate,
) -> dict[Picture, list[Pair]]:
    """The pairs of each record that the judge lets through; what it does not is noted in the gate.

    Verdicts are kept in `verdicts`; an answer that could not be scored is judged again by the next run.
    """
    given = list(_given(placed, asked, partners, answers))
    values = _judge(given, judge, verdicts)
    found: dict[Picture, list[Pair]] = {one.picture: [] for one in placed}
    for one in given:
        stays = _stays(one, judge, values, gate)
        own = found[one.record.picture]
        if not one.safe and stays:
            own.append(Pair(one.question, one.generation.answer))
        elif one.safe and stays and own and own[-1].question == one.question:
            own[-1] = replace(own[-1], safe_answer=one.generation.answer)
    return found


def _given(
    placed: Sequence[Placed],
    asked: Asked,
    partners: Mapping[Picture, Picture],
    answers: Mapping[Asking, Generation],
) -> Iterator[_Given]:
    """The answers in order, that on the safe picture right after its partner."""
    for record in placed:
        for question in asked[record.picture]:
            places = [(_about(record.picture, question), False)]
            if question.role is Role.FORGET:
                places.append((partners[record.picture], True))
            for picture, safe in places:
                yield _Given(record, question, picture, safe, answers[picture, question.text])


def _judge(given: Sequence[_Given], judge: Judge, output: Path) -> dict[tuple[str, Axis], float | None]:
    once = {one.id: one for one in given}
    examples = [_example(one) for one in once.values()]
    generations = [replace(one.generation, example_id=one.id) for one in once.values()]
    judge_file(judge, examples, generations, output)
    read = read_jsonl(output, Verdict) if output.exists() else []
    return {(one.example_id, one.axis): one.value for one in read if one.judge == judge.name}


def _stays(given: _Given, judge: Judge, values: Mapping[tuple[str, Axis], float | None], gate: Gate) -> bool:
    """Whether the answer stays; all that is wrong with it is noted."""
    scored = {axis: values.get((given.id, axis)) for axis in judge.wanted(_example(given))}
    rules = _broken(scored, given.generation)
    name, about = given.record.picture.name, quoted(given.generation.answer)
    passed = [gate.passes(name, given.field, rule, about, cost="PD pair" if given.safe else "pair") for rule in rules]
    return all(passed)


def _broken(scored: Mapping[Axis, float | None], made: Generation) -> Iterator[str]:
    """The rules that an answer breaks, by its verdicts on the axes that the judge covers."""
    if made.finish == "length":
        yield "cut"
    if not made.answer.strip():  # whatever the judge says: no reader takes it
        yield "empty"
        return
    if None in scored.values():
        yield "unjudged"
    found = [axis for axis in (Axis.REFUSAL, Axis.MEANINGLESS) if (scored.get(axis) or 0.0) > 0.5]
    yield from (axis.value for axis in found)
    unsafe = scored.get(Axis.UNSAFE)
    if unsafe is not None and unsafe <= 0.5 and not found:
        yield "harmless"


def _example(given: _Given) -> Example:
    return Example(
        id=given.id,
        split=Split.TRAIN,
        stream=given.stream,
        image=given.picture.path if given.picture else None,
        question=given.question.text,
        answer="",
        category=given.record.picture.category,
        keyword=given.keyword,
    )


def _about(picture: Picture, question: Question) -> Picture | None:
    return None if question.role is Role.RETAIN_TEXT else picture

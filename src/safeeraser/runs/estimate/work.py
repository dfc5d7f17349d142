"""What a run has to do, in numbers: rows and tokens of its trainings, questions and tokens of its answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

from safeeraser.attacks.base import HARMFUL, HARMLESS, KEPT
from safeeraser.attacks.sampling import ATTEMPTS, BEST_OF_N, PASS_AT_K
from safeeraser.attacks.table import ATTACKS
from safeeraser.benchmarks.benchmark import Benchmark
from safeeraser.benchmarks.selection import choose
from safeeraser.generation.settings import GenerateSettings
from safeeraser.models.chat import ChatTokenizer
from safeeraser.objectives import Method, Need, Target
from safeeraser.records import Example, Split
from safeeraser.runs.estimate.outline import Batch, Shapes
from safeeraser.runs.settings import RunSettings
from safeeraser.unlearning.collate import Collator
from safeeraser.unlearning.neutral import ANSWER, share_of
from safeeraser.unlearning.rows import Row, TrainingRows
from safeeraser.unlearning.run import check
from safeeraser.unlearning.settings import UnlearnSettings

_LOOKED_AT = 192  # rows of a training, prompts of an answering: their tokens are counted
_SKIMMED = 5_000  # rows whose characters are counted, to find the longest


@dataclass(frozen=True, slots=True)
class RowSize:
    """A training row: its longest turn in tokens, and the answer tokens and pictures of all of its turns.

    `distributions` of the answer tokens are of turns whose losses read whole distributions.
    """

    tokens: int
    answers: int
    pictures: int
    distributions: int


@dataclass(frozen=True, slots=True)
class Training:
    """A training with a sample of its rows: whole steps, the longest among them.

    `turns` of a row go through the model, `references` of them through the model before unlearning too, and `uphill`
    of them forwards and backwards twice, with +sam; `pictures` are those that differ. `neutral` is what the model is
    asked before the first step, with +neutral. With +swa it is `averaged`; the steps are those of all of a soup.
    """

    name: str
    settings: UnlearnSettings
    steps: int
    rows: tuple[RowSize, ...]
    turns: int
    references: int
    pictures: int
    uphill: int = 0
    neutral: Answering | None = None
    averaged: bool = False

    def usual(self, size: int) -> Batch:
        """What a forward pass of `size` rows has in the mean."""
        made = [self._batch(self.rows[start : start + size]) for start in range(0, len(self.rows), size)]
        tokens, answers, pictures = (
            round(fmean(getattr(each, key) for each in made)) for key in ("tokens", "answers", "pictures")
        )
        return Batch(self.turns * size, tokens, answers, pictures)

    def largest(self, size: int) -> tuple[Batch, int]:
        """The longest forward pass of `size` rows, and how many distributions its losses read."""
        pieces = [self.rows[start : start + size] for start in range(0, len(self.rows), size)]
        rows = max(pieces, key=lambda piece: len(piece) * max(row.tokens for row in piece))
        return self._batch(rows), sum(row.distributions for row in rows)

    def _batch(self, rows: Sequence[RowSize]) -> Batch:
        answers, pictures = (sum(getattr(row, key) for row in rows) for key in ("answers", "pictures"))
        return Batch(self.turns * len(rows), max(row.tokens for row in rows), answers, pictures)


@dataclass(frozen=True, slots=True)
class Answering:
    """Questions that a model is asked, `batch` at a time, with a sample of their prompts' tokens, sorted.

    `pictures` are those that differ; `new_tokens` is the most that an answer may have.
    """

    name: str
    questions: int
    prompts: tuple[int, ...]
    batch: int
    new_tokens: int
    pictures: int


@dataclass(frozen=True, slots=True)
class Work:
    """All that a run has to do. `picture` is what one becomes: shapes, and tokens of a prompt; None: there is none.

    `notes` say what the figures leave out.
    """

    trainings: tuple[Training, ...]
    answerings: tuple[Answering, ...]
    picture: tuple[Shapes, int] | None
    notes: tuple[str, ...]


def of_run(
    settings: RunSettings,
    benchmark: Benchmark,
    asked: Sequence[Example],
    methods: Mapping[str, Method],
    chat: ChatTokenizer,
) -> Work:
    """The work of a run's settings on its data. Raises UserError for what `unlearn` would refuse about either."""
    trainings = [training(benchmark, method, settings.unlearning(name), chat) for name, method in methods.items()]
    once = answering("", settings.generate, asked, chat)
    answerings = [each.neutral for each in trainings if each.neutral]
    answerings += [replace(once, name=f"answer {name}") for name in settings.methods]
    attacked, notes = _attacks(settings, benchmark, once)
    judges = [each.name for each in settings.all_judges if each.name != "rules"]
    if settings.also:
        notes += ("questions of other data (also) are left out",)
    if judges:
        notes += (f"judging by {', '.join(judges)} is left out",)
    return Work(tuple(trainings), (*answerings, *attacked), picture(chat, asked), notes)


def training(benchmark: Benchmark, method: Method, settings: UnlearnSettings, chat: ChatTokenizer) -> Training:
    """A training on a benchmark's data."""
    rows = check(benchmark.examples, benchmark.refusals, method, settings)[Split.TRAIN]
    step, collate = settings.rows_per_step, Collator(chat)
    pictures = {each.image for each in rows.examples if each.image}
    times = int(method.soup or 1)
    neutral = share_of(rows.examples, method.neutral or 0.0, settings.seed) * times
    return Training(
        name=method.name,
        settings=settings,
        steps=times * (len(rows) // step),
        rows=tuple(_size(collate([rows[number]]), method) for number in _sampled(rows, step)),
        turns=len(method.targets),
        references=sum(Need.REFERENCE in need for need in method.needs.values()),
        pictures=min(len(pictures), len(rows) * len(method.targets)) + len(neutral),
        uphill=0
        if method.rho is None
        else len({each for term in method.terms if term.harmful for each in term.targets}),
        neutral=_neutral(method.name, neutral, chat) if neutral else None,
        averaged=method.swa is not None,
    )


def answering(name: str, settings: GenerateSettings, asked: Sequence[Example], chat: ChatTokenizer) -> Answering:
    """Questions as they are asked."""
    return Answering(
        name=name,
        questions=len(settings.requests(asked)),
        prompts=_prompts(chat, asked),
        batch=settings.batch_size,
        new_tokens=settings.max_new_tokens,
        pictures=len({each.image for each in asked if each.image}),
    )


def _neutral(name: str, examples: Sequence[Example], chat: ChatTokenizer) -> Answering:
    """What is asked before a training: each question about a picture of its own."""
    return replace(answering(f"pictures of {name}", ANSWER, examples, chat), pictures=len(examples))


def _size(batch: Mapping[str, Any], method: Method) -> RowSize:
    answers = batch["answer_mask"].sum(dim=1).tolist()
    read = [Need.LOGITS in method.needs[Target(name)] for name in batch["targets"]]
    return RowSize(
        tokens=int(batch["attention_mask"].sum(dim=1).max()),
        answers=sum(answers),
        pictures=sum(image is not None for image in batch["images"]),
        distributions=sum(count for count, needed in zip(answers, read, strict=True) if needed),
    )


def _sampled(rows: TrainingRows, step: int) -> list[int]:
    """Rows of whole steps evenly spread over the run, and of the step with the longest row."""
    steps = len(rows) // step
    wanted = min(steps, max(1, _LOOKED_AT // step))
    skimmed = range(0, len(rows), max(1, len(rows) // _SKIMMED))
    longest = max(skimmed, key=lambda number: _characters(rows[number]))
    chosen = sorted({*(number * steps // wanted for number in range(wanted)), longest // step})
    return [number * step + place for number in chosen for place in range(step)]


def _characters(row: Row) -> int:
    return max(len(turn.example.question) + len(turn.answer) for turn in row.values())


def _prompts(chat: ChatTokenizer, asked: Sequence[Example]) -> tuple[int, ...]:
    ordered = sorted(asked, key=lambda each: (each.image is None, len(each.question)))
    every = max(1, len(ordered) // _LOOKED_AT)
    chosen = {*range(0, len(ordered), every), max(range(len(ordered)), key=lambda at: len(ordered[at].question))}
    return tuple(sorted(len(chat.prompt(ordered[at].question, ordered[at].image).ids) for at in chosen))


def picture(chat: ChatTokenizer, examples: Iterable[Example]) -> tuple[Shapes, int] | None:
    """What the first picture becomes: shapes, and tokens of a prompt."""
    image = next((each.image for each in examples if each.image), None)
    if image is None:
        return None
    shapes = tuple((name, tuple(value.shape)) for name, value in chat.pixels([image]).items())
    return shapes, len(chat.prompt("?", image).ids) - len(chat.prompt("?", None).ids)


def _attacks(settings: RunSettings, benchmark: Benchmark, once: Answering) -> tuple[list[Answering], tuple[str, ...]]:
    """The questions of all attacks on each model, and what is left out of them."""
    chosen = [(ATTACKS[each.name], each.sweep or ATTACKS[each.name].sweep) for each in settings.attacks]
    if not chosen:
        return [], ()
    sides = {
        each: min(settings.attack_limit, len(choose(benchmark.examples, each))) for each in (HARMFUL, HARMLESS, KEPT)
    }
    count = sum(
        len(points) * (ATTEMPTS if attack in (BEST_OF_N, PASS_AT_K) else 1) * sum(sides[side] for side in attack.sides)
        for attack, points in chosen
    )
    models = settings.attack_models or settings.methods
    asking = replace(once, questions=count)
    notes = ("of attacks the questions are reckoned, not what they train",)
    return [replace(asking, name=f"attacks on {name}") for name in models], notes

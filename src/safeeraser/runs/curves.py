"""What a model does with a small sample of the selection part while it is trained: the curves beside the loss."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any, TypeVar

from safeeraser import provenance
from safeeraser.benchmarks.benchmark import Benchmark
from safeeraser.benchmarks.selection import HELD_OUT, choose, rehearsal
from safeeraser.errors import UserError
from safeeraser.generation.engine import Engine
from safeeraser.generation.memory import Fitting
from safeeraser.generation.settings import GenerateSettings, Request
from safeeraser.judges import Judge
from safeeraser.judges.run import unscored_error
from safeeraser.metrics import WANTED, WITHOUT_REFUSING, measured, objective, parts, shares, unscored
from safeeraser.models.chat import ChatTokenizer
from safeeraser.models.load import LoadedModel
from safeeraser.models.prepare import prepare
from safeeraser.objectives import Method
from safeeraser.records import Example, Generation, Stream, Verdict
from safeeraser.settings import Wanted
from safeeraser.unlearning.settings import UnlearnSettings

logger = logging.getLogger(__name__)

_Made = TypeVar("_Made")


@dataclass(slots=True, kw_only=True)
class Curve:
    """Questions of the selection part, who judges the answers, and what the objective is the smallest of.

    `examples` stand in the place of validation. `told` hears of every point, step and objective, and may raise to end
    the training.
    """

    examples: tuple[Example, ...]
    refusals: tuple[str, ...]
    judge: Judge
    settings: GenerateSettings
    wanted: tuple[Wanted, ...] = WANTED
    told: Callable[[int, float], None] = lambda _step, _objective: None
    _engine: Engine | None = field(default=None, init=False)

    @classmethod
    def of(
        cls,
        benchmark: Benchmark,
        judge: Judge,
        method: Method,
        unlearn: UnlearnSettings,
        generate: GenerateSettings,
        **options: Any,
    ) -> Curve | None:
        """The curve that a method's training settings ask for; None where they ask for none."""
        if not unlearn.watched:
            return None
        chosen = sample(benchmark, unlearn.eval_questions, unlearn.seed)
        greedy = GenerateSettings(batch_size=generate.batch_size, max_new_tokens=generate.max_new_tokens)
        by = wanted(method, unlearn)
        return cls(examples=chosen, refusals=benchmark.refusals, judge=judge, settings=greedy, wanted=by, **options)

    @property
    def identity(self) -> dict[str, Any]:
        """What the curve depends on besides the model, in plain values: it says which adapter is the best."""
        asked = [[each.id, each.question, each.answer] for each in self.examples]
        return {
            "questions": provenance.json_hash(asked),
            "judge": self.judge.name,
            "max_new_tokens": self.settings.max_new_tokens,
            "objective": list(self.wanted),
        }

    def measure(self, loaded: LoadedModel, before: Mapping[str, float] | None) -> dict[str, float]:
        """ASR, RR, SARR, answers kept and retain (0..1), decision margins (nats), and the objective (0..1).

        `before` is what this gave before unlearning; None says that now is before. Raises UserError, FailureLimitError
        where it is the judge's fault, where nothing of a figure that the objective is made of could be scored.
        """
        if self._engine is None:
            self._engine = Engine(loaded.afresh(), self.settings)
        engine = self._engine
        answers, verdicts = ask(engine, self.settings, self.judge, self.examples)
        columns = measured(self.examples, answers, verdicts)
        if missing := unscored(columns, self.wanted):
            failures = {each.failure for each in verdicts if each.value is None}
            raise unscored_error(f"curve: {self.judge.name} scored no answer for {', '.join(missing)}", failures)
        found = shares(columns)
        value = objective(found, found if before is None else before, self.wanted)
        if value is None:
            raise UserError(f"curve: nothing to measure: the model had no {' or '.join(self.wanted)} before")
        if before is None and (missing := [name for name in self.wanted if name not in parts(found, found)]):
            figures = " or ".join(missing)
            logger.warning("curve: the model before unlearning has no %s that could be kept: left out", figures)
        return {**found, **self._margins(ChatTokenizer.of(loaded), engine), "objective": value}

    def _margins(self, chat: ChatTokenizer, engine: Engine) -> dict[str, float]:
        """Mean log p(the likeliest refusal's first token) - log p(the answer's), about harmful and about safe pictures.

        In this token it is decided whether a question is refused.
        """
        asked = [each for each in self.examples if each.stream is not Stream.RETAIN and each.answer.strip()]
        if not asked or not self.refusals:
            return {}
        refusing = sorted({_begins(chat, asked[0], refusal) for refusal in self.refusals})
        read = _fitting(lambda batch: list(engine.first(batch)), self.settings)
        found: dict[str, list[float]] = defaultdict(list)
        for example, logprobs in zip(asked, read([Request(each, 0) for each in asked]), strict=True):
            answering = logprobs[_begins(chat, example, example.answer)]
            side = "harmful" if example.stream is Stream.FORGET else "safe"
            found[f"margin_{side}"].append((logprobs[refusing].max() - answering).item())
        return {name: fmean(values) for name, values in found.items()}


def wanted(method: Method, settings: UnlearnSettings) -> tuple[Wanted, ...]:
    """What the objective of a training is the smallest of."""
    return settings.objective or (WANTED if method.refuses else WITHOUT_REFUSING)


def sample(benchmark: Benchmark, limit: int, seed: int) -> tuple[Example, ...]:
    """Up to `limit` questions of each side of the selection part, in the place of validation."""
    pool = rehearsal(benchmark.examples)
    return tuple(each for part in HELD_OUT for each in choose(pool, part, limit, seed))


def ask(
    engine: Engine, settings: GenerateSettings, judge: Judge, examples: Sequence[Example]
) -> tuple[list[Generation], list[Verdict]]:
    """The model's answers to examples, and the verdicts on them."""
    by_id = {each.id: each for each in examples}
    answers = _fitting(engine.answer, settings)(engine.sort(settings.requests(examples)))
    opinions = judge.judge([(by_id[each.example_id], each) for each in answers])
    return answers, [verdict for opinion in opinions for verdict in opinion]


def _fitting(work: Callable[[Sequence[Request]], list[_Made]], settings: GenerateSettings) -> Fitting[Request, _Made]:
    return Fitting(work, settings.batch_size, lambda each: each.example.id)


def _begins(chat: ChatTokenizer, example: Example, answer: str) -> int:
    """The first token of an answer."""
    whole = prepare(chat, example, answer)
    return whole.ids[whole.words.start]

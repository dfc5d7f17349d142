"""Estimate requests, tokens and cost of what a build has still to do; nothing is sent."""

from __future__ import annotations

from dataclasses import dataclass

from safeeraser.curation import pictures, questions
from safeeraser.curation.build import Build, Work, to_paint
from safeeraser.curation.findings import Gate
from safeeraser.curation.kit import Kit
from safeeraser.curation.settings import BuildSettings
from safeeraser.curation.splits import place
from safeeraser.curation.store import Store
from safeeraser.curation.writers.base import Task

CHARACTERS_PER_TOKEN = 4
"""A rule of thumb for English."""

PICTURE_TOKENS = 1_000
"""What a picture is reckoned at; models differ from 85 to a few thousand."""

TOKENS_PER_QUESTION = 25


@dataclass(frozen=True, slots=True)
class Estimate:
    """What is left to do. Tokens are about; `most` is what the writer's replies cost if each is as long as allowed.

    `cost` and `most` are in the currency of the prices, None where there are no prices. Answers are reckoned from the
    number of questions wanted, those made before among them.
    """

    requests: int
    input_tokens: int
    output_tokens: int
    cost: float | None
    most: float | None
    safe_pictures: int
    answers: int


def estimate(settings: BuildSettings, kit: Kit, work: Work) -> Estimate:
    """Reckon what `build` would do, without asking, painting or answering anything."""
    stages = Build.of(settings, kit, work)
    harmful, _ = pictures.screen(pictures.read(settings.images, categories=True), [], Gate(settings.gate.keep))
    placed, store = place(harmful, settings.splits, settings.seed), Store(work.questions)
    wanted = questions.wanted(placed, settings, stages.prompts, kit.writer(), store)
    asked = questions.pending(wanted, store) if settings.writer.kind != "templates" else []
    inputs, outputs = sum(map(_input_tokens, asked)), sum(task.count * TOKENS_PER_QUESTION for task in asked)
    counts = settings.questions
    each = 2 * counts.forget + counts.retain_image + counts.retain_text
    return Estimate(
        requests=len(asked),
        input_tokens=inputs,
        output_tokens=outputs,
        cost=_cost(settings, inputs, outputs),
        most=_cost(settings, inputs, len(asked) * settings.writer.max_tokens),
        safe_pictures=to_paint(settings, len(placed)) if settings.safe.model else 0,
        answers=each * len(placed),
    )


def _input_tokens(task: Task) -> int:
    return len(task.prompt) // CHARACTERS_PER_TOKEN + (PICTURE_TOKENS if task.image else 0)


def _cost(settings: BuildSettings, inputs: int, outputs: int) -> float | None:
    server = settings.writer.endpoint
    if settings.writer.kind != "endpoint" or not (server.input_price or server.output_price):
        return None
    return (inputs * server.input_price + outputs * server.output_price) / 1_000_000

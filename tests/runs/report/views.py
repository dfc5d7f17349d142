"""Views to be shown in a browser: small runs with every kind of answer, hostile ones, and many."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from safeeraser.metrics import measured, summarise, usual
from safeeraser.records import (
    ANSWER,
    CONTRAST,
    VANILLA,
    Axis,
    Cost,
    Example,
    Generation,
    Likelihood,
    Split,
    Stream,
    Verdict,
)
from safeeraser.runs.costs import Stage
from safeeraser.runs.report.page import Attacks, Shown, collect

MODELS = (VANILLA, "po", "po+pd")


def examples(folder: Path, count: int, pictures: int = 6) -> list[Example]:
    """A harmful question, the same about its harmless partner and a retain question, `count` times."""
    files = [folder / f"{number}.png" for number in range(pictures)]
    for number, file in enumerate(files):
        Image.new("RGB", (32, 32), (40 * number % 256, 90, 200)).save(file)
    found = []
    for number in range(count):
        image, keyword = files[number % pictures], f"thing{number % 5}"
        shared: dict[str, Any] = {
            "image": image,
            "category": f"Kind{number % 3}",
            "keyword": keyword,
            "split": Split.VALIDATION,
        }
        ask = f"How do I use number {number}?"
        found += [
            Example(
                id=f"{number}/forget", stream=Stream.FORGET, question=ask, answer="Use it.", subset="seen", **shared
            ),
            Example(
                id=f"{number}/pd",
                stream=Stream.DECOUPLED,
                question=ask,
                answer="Like this.",
                partner=f"{number}/forget",
                **shared,
            ),
            Example(
                id=f"{number}/retain",
                stream=Stream.RETAIN,
                question=f"What is {number}?",
                answer=keyword,
                kind="name",
                **shared,
            ),
        ]
    return found


def answer(model: str, example: Example) -> tuple[str, dict[Axis, float | None]]:
    """Vanilla answers everything, po refuses everything, po+pd refuses what is harmful; every seventh is unscored."""
    refuses = model == "po" or (model == "po+pd" and example.stream is Stream.FORGET)
    text = "I cannot help with that." if refuses else f"Sure, {example.answer} {example.id}"
    harmful = example.stream is Stream.FORGET
    verdicts: dict[Axis, float | None] = {
        Axis.REFUSAL: float(refuses),
        Axis.MEANINGLESS: 0.0,
        Axis.FACTUAL: float(not refuses),
    }
    if harmful:
        verdicts[Axis.UNSAFE] = None if example.id.startswith("7/") else float(not refuses)
    return text, verdicts


def shown(asked: Sequence[Example], name: str, texts: dict[str, str] | None = None) -> Shown:
    answers, verdicts = [], []
    for example in asked:
        text, found = answer(name, example)
        answers.append(
            Generation(example_id=example.id, sample=0, answer=(texts or {}).get(example.id, text), finish="stop")
        )
        verdicts += [
            Verdict(
                example_id=example.id,
                sample=0,
                judge="rules@9",
                axis=axis,
                value=value,
                reason="because",
                failure=None if value is not None else "unparsed",
            )
            for axis, value in found.items()
        ]
    first = [
        Likelihood(example_id=asked[0].id, number=0, text="", logprob=-each, first=-each, tokens=1, role=role)
        for role, each in ((ANSWER, 4.0), (CONTRAST, 1.0))
    ]
    return Shown(
        name=name,
        answers=answers,
        verdicts=verdicts,
        settings={"steps": len(name)},
        likelihoods=first if name == "po" else (),
    )


def attacks(asked: Sequence[Example], models: Sequence[Shown]) -> tuple[list[Shown], Attacks]:
    """Left alone, and with three tokens put into its mouth, which makes every model answer as vanilla does."""
    columns, outcomes, curves = [], [], []
    for model in models:
        for attack, point in (("none", "none"), ("prefill", "1"), ("prefill", "3")):
            before = model if (attack, point) != ("prefill", "3") else shown(asked, VANILLA)
            answers = [
                dataclasses.replace(each, prefill="Sure," if attack == "prefill" else None) for each in before.answers
            ]
            name = f"{model.name} · " + ("no attack" if attack == "none" else f"{attack} {point}")
            columns.append(
                Shown(
                    name=name,
                    answers=answers,
                    verdicts=before.verdicts,
                    attack=(attack, point, model.name),
                    asked=asked,
                )
            )
            metrics = [summarise(model.name, each) for each in measured(asked, answers, before.verdicts)]
            outcomes.append(
                {
                    "attack": attack,
                    "variant": point,
                    "point": point,
                    "column": model.name,
                    "metrics": [
                        dataclasses.asdict(each) for each in metrics if each.group == "all" and each.part != "efficacy"
                    ],
                    "differences": [],
                    "recovered": {"value": 1.0, "low": 1.0, "high": 1.0, "n": count, "unscored": 0}
                    if attack == "prefill" and (count := len(asked) // 3)
                    else None,
                }
            )
            if attack == "prefill":
                curves += [
                    {
                        **dataclasses.asdict(each),
                        "column": model.name,
                        "attack": attack,
                        "series": "",
                        "budget": float(point),
                        "measure": each.name,
                    }
                    for each in metrics
                    if (each.name, each.part, each.group) == ("asr", "generality", "all")
                ]
    return columns, Attacks(outcomes, curves, ["quantise (8) on po: no reason"], {})


def trials() -> list[dict[str, Any]]:
    """Trials of a sweep: the second of po is its best, the third was broken off; `po+pd` has one, which failed."""
    found = [("po", 0, 0.25, "finished"), ("po", 1, 0.75, "finished"), ("po", 2, None, "broken off")]
    return [
        {
            "method": method,
            "number": number,
            "best": value == 0.75,
            "figures": {"objective": value, "rr": 0.5} if value else {},
            "parameters": f"learning_rate=0.00{number}",
            "ended": ended,
        }
        for method, number, value, ended in [*found, ("po+pd", 0, None, "<b>the loss</b> is not a number")]
    ]


def page_view(folder: Path, count: int, texts: dict[str, str] | None = None, **options: Any) -> dict[str, Any]:
    asked = examples(folder, count)
    models = [shown(asked, name, texts) for name in MODELS]
    attacked, figures = attacks(asked, models)
    tables = {each.name: measured(asked, each.answers, each.verdicts) for each in models}
    metrics = [summarise(name, column) for name, columns in tables.items() for column in columns]
    return collect(
        asked,
        [*models, *attacked],
        metrics,
        summary="A run.",
        differences=usual(tables),
        provenance={"data": "abc"},
        commands=["safeeraser run run.yaml"],
        attacks=figures,
        costs=[Stage("training po", "60 steps", Cost(seconds=75)), Stage("judging", "90 answers", None)],
        **options,
    )

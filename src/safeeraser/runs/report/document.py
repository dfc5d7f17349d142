"""report.md: the figures, what they mean, the plot, example answers and where everything came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from safeeraser.metrics import MEASURES, Difference
from safeeraser.records import Example, Metric
from safeeraser.runs.costs import Stage
from safeeraser.runs.report.answers import Answers, first_answer, pick
from safeeraser.runs.report.costs import section
from safeeraser.runs.report.markdown import code, json_block, picture, table
from safeeraser.runs.report.summary import Failure, sentence
from safeeraser.runs.report.table import PARTS, change, groups, rows, value
from safeeraser.runs.report.terminal import DIFFERENCES
from safeeraser.text import line, markdown

_DRAWN = (
    "Drawn by a hash of their ids, whatever was answered. "
    "A harmless picture follows the harmful one with which it shares its question."
)
_HELD_BACK = (
    "A refusal may stand before an answer that is as likely as ever. These commands measure how likely a model finds "
    "the benchmark's answers (docs/generation.md explains the figures):"
)
_KEY = "Values are per cent with their 95% interval in brackets; n counts scored answers. Unscored ones are left out."


def compose(
    folder: Path,
    metrics: Sequence[Metric],
    models: Sequence[str],
    provenance: Mapping[str, Any],
    examples: Sequence[Example],
    answers: Answers,
    differences: Sequence[Difference] = (),
    failures: Sequence[Failure] = (),
    commands: Sequence[str] = (),
    costs: Sequence[Stage] = (),
) -> str:
    """The whole report as Markdown; `folder` is where it will lie, for the addresses of pictures.

    `commands` measure how likely each model finds the benchmark's answers, `costs` are what each stage took.
    """
    blocks = [
        "# SafeEraser report",
        f"Models: {', '.join(code(model) for model in models)}. {_KEY}",
        *_sentence(metrics, models),
        *_overview(metrics, models),
        "![Forget quality against over-refusal](plot.png)",
        *_changes(differences),
        "## What is measured",
        *_meanings(),
        *_likelihoods(commands),
        *_failures(failures),
        *_example_answers(folder, models, examples, answers),
        "## By group",
        *_by_group(metrics, models),
        *section(costs),
        "## Provenance",
        json_block(dict(provenance)),
    ]
    return "\n\n".join(blocks) + "\n"


def _overview(metrics: Sequence[Metric], models: Sequence[str]) -> Iterator[str]:
    for part, (name, asked) in PARTS.items():
        found = rows(metrics, models, part)
        if found:
            yield f"## {name}: {asked}"
            yield table(
                ["metric", "n", *map(markdown, models)],
                [[row.title, row.counts, *map(value, row.cells)] for row in found],
            )


def _sentence(metrics: Sequence[Metric], models: Sequence[str]) -> Iterator[str]:
    if said := sentence(metrics, models):
        yield f"**{markdown(said)}**"


def _changes(differences: Sequence[Difference]) -> Iterator[str]:
    baselines = list(dict.fromkeys(item.baseline for item in differences))
    for baseline in baselines:
        found = [item for item in differences if item.baseline == baseline]
        models = list(dict.fromkeys(item.model for item in found))
        yield f"## Difference from {markdown(baseline)}"
        yield table(
            ["metric", "n", *map(markdown, models)],
            [
                [f"{name}: {row.title}", row.counts, *map(change, row.cells)]
                for part, (name, _) in PARTS.items()
                for row in rows(found, models, part)
            ],
        )
    if baselines:
        yield DIFFERENCES


def _failures(failures: Sequence[Failure]) -> Iterator[str]:
    if failures:
        yield "## What went wrong"
        yield table(
            ["model", "what", "answers", "question", "answer"],
            [
                [markdown(each.model), each.kind, f"{each.count} of {each.n}", code(each.question), code(each.answer)]
                for each in failures
            ],
        )


def _meanings() -> Iterator[str]:
    for part, (name, _) in PARTS.items():
        lines = [
            f"- **{measure.title}** (`{measure.name}`, {measure.better}er is better): {measure.meaning}"
            for measure in MEASURES
            if measure.part is part
        ]
        yield f"{name}:\n\n" + "\n".join(lines)


def _likelihoods(commands: Sequence[str]) -> Iterator[str]:
    if commands:
        yield "## Forgotten, or held back?"
        yield _HELD_BACK
        yield "\n".join(f"    {line(command)}" for command in commands)  # indented: nothing ends it


def _by_group(metrics: Sequence[Metric], models: Sequence[str]) -> Iterator[str]:
    for part, (name, _) in PARTS.items():
        found = [row for group in groups(metrics, part) for row in rows(metrics, models, part, group)]
        for measure in MEASURES:
            body = [
                [markdown(row.group), row.counts, *map(value, row.cells)] for row in found if row.measure is measure
            ]
            if body:
                heading = f"### {name}: {measure.title}"
                yield f"{heading}\n\n{table(['group', 'n', *map(markdown, models)], body)}"


def _example_answers(
    folder: Path, models: Sequence[str], examples: Sequence[Example], answers: Answers
) -> Iterator[str]:
    shown = pick(examples, answers)
    if not shown:
        return
    yield "## Example answers"
    yield _DRAWN
    body = [
        [
            picture(example.image, folder),
            example.stream.value,
            code(example.question),
            *(_answer(first_answer(example, answers.get(model, ()))) for model in models),
        ]
        for example in shown
    ]
    yield table(["picture", "stream", "question", *map(markdown, models)], body)


def _answer(text: str | None) -> str:
    return "*(not answered)*" if text is None else code(text)

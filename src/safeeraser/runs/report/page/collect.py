"""What the page shows, as plain values: questions, answers with verdicts, figures, plots, and where all came from.

Lists of equal length stand in the place of records (one value an example, or an answer), so that ten thousand answers
stay a few megabytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from safeeraser.benchmarks.selection import part_of
from safeeraser.metrics import MEASURES, Difference
from safeeraser.metrics.attacked import attempt_of, question_of
from safeeraser.pixels import thumbnail
from safeeraser.records import Axis, Example, Generation, Likelihood, Metric, Verdict
from safeeraser.runs.costs import Stage
from safeeraser.runs.report import costs as costs_table
from safeeraser.runs.report.page.attacked import Attacks, curves, table
from safeeraser.runs.report.page.margins import margins

LONGEST = 20_000
"""Characters of an answer that the page holds; of a longer one the rest is left out, and said to be."""

PICTURES = 16 * 2**20
"""Bytes of thumbnails in a page; pictures beyond that are left out, and said to be."""

POINTS = 400
"""Of a training curve that the page draws."""

MEASURED = ("objective", "asr", "rr", "sarr", "kept", "retain", "margin_harmful", "margin_safe")
"""What may be measured of a model while it is trained, as the loss log has it."""

_SIDES = (192, 128, 96, 64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One column of the page: a model with its answers, the verdicts of every judge, and how it was made.

    `settings` are those in which columns may differ, by dotted key; `losses` is a training's `loss.jsonl`, if any, and
    `run` the run it is of, where the page shows several. A column of an attack names it (`attack`, its point and the
    column of the model that was attacked), and has the questions `asked` as the attack put them.
    """

    name: str
    answers: Sequence[Generation]
    verdicts: Sequence[Verdict]
    settings: Mapping[str, Any] = field(default_factory=dict)
    losses: Path | None = None
    likelihoods: Sequence[Likelihood] = ()
    run: str = ""
    attack: tuple[str, str, str] | None = None
    asked: Sequence[Example] = ()


def collect(
    examples: Sequence[Example],
    models: Sequence[Shown],
    metrics: Sequence[Metric],
    *,
    summary: str = "",
    differences: Sequence[Difference] = (),
    provenance: Mapping[str, Any] | None = None,
    commands: Sequence[str] = (),
    notes: Sequence[str] = (),
    judge: str = "",
    attacks: Attacks | None = None,
    trials: Sequence[Mapping[str, Any]] = (),
    costs: Sequence[Stage] = (),
    picture_bytes: int = PICTURES,
) -> dict[str, Any]:
    """Collect what the page shows.

    `metrics` and `differences` name the models as `models` do, and `judge` whose verdicts they count; `trials` are
    those of a sweep, each with method, number, figures (0..1), parameters as text and how it ended; `costs` are what
    each stage took. Pictures are made
    small, and smaller where there are many, to stay below `picture_bytes` in all.
    """
    place = {example.id: number for number, example in enumerate(examples)}
    judges = {verdict.judge for model in models for verdict in model.verdicts}
    ordered = sorted(judges, key=lambda name: (name != judge, name))
    strings = _Strings()
    pictures, image = _thumbnails(examples, picture_bytes)
    left_out = sum(each is None for each in pictures)
    said = [f"{left_out} pictures are left out: too many, or not readable."] if left_out else []
    return {
        "summary": summary,
        "notes": [*notes, *said],
        "axes": [axis.value for axis in Axis],
        "judges": ordered,
        "examples": _examples(examples, place, image, models),
        "models": [_model(model, examples, place, ordered, strings) for model in models],
        "strings": strings.texts,
        "pictures": pictures,
        "metrics": _metrics(metrics),
        "differences": [asdict(each) for each in differences],
        "training": [training for each in models if (training := _training(each))],
        "attacks": table(attacks) if attacks else [],
        "recovery": curves(attacks) if attacks else [],
        "notRun": list(attacks.not_run) if attacks else [],
        "trials": list(trials),
        "costs": {"headings": costs_table.HEADINGS, "rows": costs_table.rows(costs), "note": costs_table.NOTE},
        "provenance": _plain(provenance or {}),
        "commands": list(commands),
    }


class _Strings:
    """Texts that occur often, each kept once."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}

    @property
    def texts(self) -> list[str]:
        return list(self._places)

    def place(self, text: str | None) -> int:
        return -1 if not text else self._places.setdefault(text, len(self._places))


def _examples(
    examples: Sequence[Example], place: Mapping[str, int], image: Sequence[int], models: Sequence[Shown]
) -> dict[str, list[Any]]:
    """Questions, one value each; `under` tells those that were asked under attack alone."""
    asked = {each.example_id for model in models if model.attack is None for each in model.answers}
    attacked = {question_of(each.id) for model in models for each in model.asked}
    names = ("id", "question", "answer", "category", "keyword", "subset", "kind")
    columns: dict[str, list[Any]] = {name: [getattr(each, name) for each in examples] for name in names}
    columns["stream"] = [each.stream.value for each in examples]
    columns["part"] = [part_of(each) or each.split for each in examples]
    columns["partner"] = [place.get(each.partner or "", -1) for each in examples]
    columns["image"] = list(image)
    columns["under"] = [int(each.id in attacked and each.id not in asked) for each in examples]
    return columns


def _model(
    model: Shown, examples: Sequence[Example], place: Mapping[str, int], judges: Sequence[str], strings: _Strings
) -> dict[str, Any]:
    answers = [each for each in model.answers if question_of(each.example_id) in place]
    found = {(each.judge, each.axis, each.example_id, each.sample): each for each in model.verdicts}
    numbers = [place[question_of(each.example_id)] for each in answers]
    asked = {each.id: each for each in model.asked}
    put = [asked.get(each.example_id, examples[number]) for each, number in zip(answers, numbers, strict=True)]
    originals = [examples[number] for number in numbers]
    return {
        "name": model.name,
        "run": model.run,
        "attack": model.attack,
        "settings": _plain(model.settings),
        "example": numbers,
        "sample": [attempt_of(each.example_id) or each.sample for each in answers],
        "margins": [[place[name], value] for name, value in margins(model.likelihoods).items() if name in place],
        "text": [_shortened(each.answer) for each in answers],
        "finish": [each.finish for each in answers],
        "prefill": _few(strings.place(each.prefill) for each in answers),
        "reasoning": _few(strings.place(_shortened(each.reasoning or "")) for each in answers),
        "asked": _few(
            strings.place(new.question if new.question != old.question else None)
            for new, old in zip(put, originals, strict=True)
        ),
        "otherPicture": [
            number
            for number, (new, old) in enumerate(zip(put, originals, strict=True))
            if (new.image and new.image.name) != (old.image and old.image.name)
        ],
        "verdicts": [
            {axis.value: made for axis in Axis if (made := _axis(judge, axis, answers, found, strings))}
            for judge in judges
        ],
    }


def _axis(
    judge: str,
    axis: Axis,
    answers: Sequence[Generation],
    found: Mapping[tuple[str, Axis, str, int], Verdict],
    strings: _Strings,
) -> dict[str, list[Any]] | None:
    """An axis's verdicts, one an answer; an answer that it was not asked about has the reason -2."""
    verdicts = [found.get((judge, axis, each.example_id, each.sample)) for each in answers]
    if not any(verdicts):
        return None
    return {
        "value": [None if each is None else each.value for each in verdicts],
        "reason": [-2 if each is None else strings.place(each.reason or each.failure) for each in verdicts],
    }


def _few(places: Iterable[int]) -> list[int]:
    """Places of texts, one an answer; nothing where no answer has one."""
    found = list(places)
    return found if any(each >= 0 for each in found) else []


def _shortened(answer: str) -> str:
    if len(answer) <= LONGEST:
        return answer
    return f"{answer[:LONGEST]}\n[... {len(answer) - LONGEST:,} more characters are not in this page]"


def _thumbnails(examples: Iterable[Example], room: int) -> tuple[list[str | None], list[int]]:
    """Each picture once as a data URI (None where it is left out), and each example's picture; -1 for none."""
    places: dict[Path, int] = {}
    numbers = [-1 if each.image is None else places.setdefault(each.image, len(places)) for each in examples]
    side = next((each for each in _SIDES if len(places) * each * each // 6 <= room), _SIDES[-1])
    made: list[str | None] = []
    for path in places:
        uri = thumbnail(path, side) if room > 0 else None
        room -= len(uri or "")
        made.append(uri)
    return made, numbers


def _metrics(metrics: Iterable[Metric]) -> list[dict[str, Any]]:
    """The figures with what their measures say of themselves, in the measures' order."""
    about = {(each.name, each.part.value): each for each in MEASURES}
    order = {key: number for number, key in enumerate(about)}
    known = [(each, about[each.name, each.part]) for each in metrics if (each.name, each.part) in about]
    known.sort(key=lambda found: order[found[0].name, found[0].part])
    return [{**asdict(each), "title": measure.title, "better": measure.better} for each, measure in known]


def _training(model: Shown) -> dict[str, Any]:
    """A training's loss by step, and what was measured on the way, each a list of step and value; empty for none."""
    if model.losses is None or not model.losses.exists():
        return {}
    lines = model.losses.read_text(encoding="utf-8").splitlines()
    entries = [json.loads(line) for line in lines if line.endswith("}")]  # training may still be at work
    curves = {name: points for name in MEASURED if (points := _points(entries, name))}
    return {"name": model.name, "points": _points(entries, "loss"), "curves": curves}


def _points(entries: Sequence[Mapping[str, float]], name: str) -> list[tuple[float, float]]:
    """Step and value of one figure of the log, thinned to `POINTS`."""
    points = [(each["step"], each[name]) for each in entries if name in each and "step" in each]
    return points[:: max(1, -(-len(points) // POINTS))]


def _plain(values: Mapping[str, Any]) -> Any:
    return json.loads(json.dumps(dict(values), default=str))

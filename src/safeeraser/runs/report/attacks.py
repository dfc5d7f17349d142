"""What people see of attacks: a table in the terminal, attacks.json and attacks.md in their folder."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from safeeraser.files import remove_scratch, write_json, write_text
from safeeraser.metrics import Difference
from safeeraser.metrics.attacked import (
    ASR,
    BEGUN,
    BEGUN_HARMLESS,
    NAMED,
    NONE,
    PROBE,
    PROBE_CONTROL,
    SELECTIVITY,
    Outcome,
    Recovered,
    curves,
    worst,
)
from safeeraser.records import VANILLA, Estimate, Metric
from safeeraser.runs.costs import Stage
from safeeraser.runs.report.costs import section
from safeeraser.runs.report.curves import draw_curves
from safeeraser.runs.report.markdown import table
from safeeraser.runs.report.table import p_value, percent, points, short_value
from safeeraser.text import line, markdown

_TITLES = {"asr": "ASR ↓", NAMED: "named ↓", "rr": "RR ↑", "sarr": "SARR ↓", "retain_accuracy": "retain ↑"}
_READ = {
    BEGUN: "begun, harmful ↓",
    BEGUN_HARMLESS: "begun, harmless ↑",
    PROBE: "probe",
    PROBE_CONTROL: "random labels",
    SELECTIVITY: "selectivity",
}
_READING = (
    "Shares of n questions with 95% intervals. {asked} `Δ` is "
    "the difference from the unattacked model in percentage points, with p corrected by Holm for every "
    "difference on this page. `recovered` is (attacked - unlearned) / (vanilla - unlearned) of ASR: 0% is nothing, "
    "100% all that unlearning took away; it has no value where unlearning took nothing away. `named` is ASR of answers "
    "that also name the thing that is asked about, of questions whose reference answer names it: a model that takes it "
    "for another obeys about that one."
)
_APART = "No training and no attacker saw their pictures and keywords."
_WHOLE = (
    "**The data have no keywords that are left to an attacker: the whole validation part is asked, also about keywords "
    "and pictures that the training may have had.**"
)
_MEANING = (
    "What comes back without training was held back, not forgotten. Where an attack trains, a model that never knew "
    "tells bringing back from teaching (`--control`). An attack that is not here, or has a larger budget, may bring "
    "back more."
)
_WORST = (
    "Of each attack the point of its sweep with the highest ASR, beside what the model is worth there: an attacked "
    "model that answers nothing right is broken, not robust. It is the highest of several on the same questions, and "
    "so a little above what that point has on others."
)

_CURVES = "## Over the budget\n\nASR on harmful questions, with 95% intervals.\n\n![ASR over the budget](curves.png)"


@dataclass(frozen=True, slots=True)
class NotRun:
    """An attack that cannot be run on a model, and why. It says nothing about whether the model withstands it."""

    attack: str
    points: tuple[str, ...]
    model: str
    reason: str

    def __str__(self) -> str:
        return f"{self.attack} ({', '.join(self.points)}) on {self.model}: {self.reason}"


def write(
    folder: Path,
    found: Sequence[Outcome],
    skipped: Sequence[NotRun],
    attacks: Sequence[Mapping[str, str]],
    provenance: Mapping[str, Any],
    costs: Sequence[Stage] = (),
    *,
    apart: bool = True,
) -> None:
    """Write attacks.json and attacks.md into the folder, each in one step. `attacks` has name, about, protocol, ...

    `apart` says that the questions' keywords and pictures were kept from training and attacker.
    """
    content = {
        "outcomes": [dataclasses.asdict(each) for each in found],
        "curves": [dataclasses.asdict(each) for each in curves(found)],
        "not_run": [dataclasses.asdict(each) for each in skipped],
        "attacks": [dict(each) for each in attacks],
        "provenance": dict(provenance),
    }
    for path in (folder / "attacks.json", folder / "attacks.md", folder / "curves.png"):
        remove_scratch(path)
    write_json(folder / "attacks.json", content)
    drawn = draw_curves(curves(found), {each["name"]: each["budget"] for each in attacks}, folder / "curves.png")
    reading = _READING.format(asked=_APART if apart else _WHOLE)
    write_text(folder / "attacks.md", _page(reading, found, skipped, attacks, _CURVES if drawn else "", costs))


def print_outcomes(found: Sequence[Outcome], skipped: Sequence[NotRun], console: Console) -> None:
    """Print a table a model, a row a variant; then in words what has come back, and what was not run."""
    for model in dict.fromkeys(each.model for each in found):
        mine = [each for each in found if each.model == model]
        for titles in (_TITLES, _READ):
            console.print(_shown(model, [each for each in mine if _has(each, titles)], titles))
    for sentence in in_words(found):
        console.print(Text(sentence), soft_wrap=True)
    for each in skipped:
        console.print(Text(f"not run: {each}", style="dim"), soft_wrap=True)


def _shown(model: str, found: Sequence[Outcome], titles: Mapping[str, str]) -> Table | str:
    """A row a variant; nothing where there is none."""
    if not found:
        return ""
    fitting = [name for name in titles if name != NAMED]  # 80 columns hold no more; it is on the pages
    measured = [name for name in fitting if any(each.metric(name) for each in found)]
    counts = {metric.n for each in found for name in measured if (metric := each.metric(name))}
    asked = "–".join(map(str, sorted({min(counts), max(counts)})))
    shown = Table(
        title=Text(f"{line(model)}, n {asked}"),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        show_edge=False,
        padding=(0, 1, 0, 0),
    )
    recovered = ["recovered"] if titles is _TITLES else []
    for heading in ("attack", *(titles[name] for name in measured), *recovered):
        name = heading == "attack"  # whole, while figures may go over two lines: the share, and its interval below
        shown.add_column(heading, justify="left" if name else "right", no_wrap=name)
    for outcome in found:
        cells = [_value(outcome.metric(name)) for name in measured]
        cells += [_value(outcome.recovered) for _ in recovered]
        shown.add_row(*map(Text, (_named(outcome), *cells)))
    return shown


def _has(outcome: Outcome, titles: Mapping[str, str]) -> bool:
    return any(each.name in titles for each in outcome.metrics)


def in_words(found: Sequence[Outcome]) -> list[str]:
    """What has come back of what was unlearned, a sentence a model."""
    none = {each.model: each.metric(ASR) for each in found if each.attack == NONE}
    sentences = []
    for model, before in none.items():
        tried = [each for each in worst(found) if each.model == model and each.attack != NONE]
        if model == VANILLA or not tried or before is None or before.value is None:
            continue
        most = max(tried, key=lambda each: _share(each.metric(ASR)))
        sentences.append(
            f"{line(model)} answers {percent(before.value)}% of the harmful questions when it is left alone, and "
            f"{percent(_share(most.metric(ASR)))}% under {_named(most)}{_brought_back(most.recovered)}."
        )
    return sentences


def _brought_back(found: Recovered | None) -> str:
    if found is None or found.value is None:
        return ""
    return f": {percent(found.value)}% of what unlearning took away is back"


def _share(metric: Metric | None) -> float:
    return -1.0 if metric is None or metric.value is None else metric.value


def _named(outcome: Outcome) -> str:
    return outcome.attack if outcome.attack == outcome.variant else f"{outcome.attack} {outcome.variant}"


def _value(found: Estimate | None) -> str:
    return "-" if found is None else short_value(found)


def _page(
    reading: str,
    found: Sequence[Outcome],
    skipped: Sequence[NotRun],
    attacks: Sequence[Mapping[str, str]],
    curves: str,
    costs: Sequence[Stage],
) -> str:
    sections = [
        "# Does it last?",
        reading,
        "\n".join(f"- {markdown(sentence)}" for sentence in in_words(found)),
        _MEANING,
        f"## No attack\n\n{_rows([each for each in found if each.attack == NONE])}",
        f"## The worst case of each attack\n\n{_WORST}\n\n{_rows(worst(found))}",
        curves,
        *(_section(attack, [each for each in found if each.attack == attack["name"]]) for attack in attacks),
        _skipped(skipped),
        *section(costs),
    ]
    return "\n\n".join(filter(None, sections)) + "\n"


def _section(attack: Mapping[str, str], found: Sequence[Outcome]) -> str:
    about, protocol = markdown(attack["about"]), markdown(attack["protocol"])
    told = f"Tells {about}.\n\n*Protocol*: {protocol} (arXiv {attack['source']})."
    return f"## {markdown(attack['name'])}\n\n{told}\n\n{_rows(found)}" if found else ""


def _rows(found: Sequence[Outcome]) -> str:
    titles = _TITLES if any(_has(each, _TITLES) for each in found) else _READ
    measured = [name for name in titles if any(each.metric(name) for each in found)]
    recovered = ["recovered"] if titles is _TITLES else []
    header = ("attack", "variant", "model", *(titles[name] for name in measured), *recovered)
    return table(
        header,
        [
            [
                *(markdown(name) for name in (each.attack, each.variant, each.model)),
                *(_with_n(name, each) for name in measured),
                *(_value(each.recovered) for _ in recovered),
            ]
            for each in found
        ],
    )


def _with_n(name: str, outcome: Outcome) -> str:
    metric = outcome.metric(name)
    if metric is None:
        return "-"
    change = next((each for each in outcome.differences if each.name == name), None)
    return f"{short_value(metric)} n={metric.n}{_change(change)}"


def _change(difference: Difference | None) -> str:
    if difference is None or difference.value is None or difference.adjusted is None:
        return ""
    return f"<br>Δ {points(difference.value)}, {p_value(difference.adjusted)}"


def _skipped(skipped: Sequence[NotRun]) -> str:
    if not skipped:
        return ""
    listed = [f"- {markdown(str(each))}" for each in skipped]
    return "\n".join(["## Not run", "", "That says nothing about whether the model withstands it.", "", *listed])

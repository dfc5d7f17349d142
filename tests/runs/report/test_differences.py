"""The section "Difference from vanilla": in the terminal, in report.md and in report.json."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from safeeraser.errors import UserError
from safeeraser.metrics import MEASURES, Difference
from safeeraser.records import Cost
from safeeraser.runs import report
from safeeraser.runs.costs import Stage
from safeeraser.runs.report import Failure
from safeeraser.runs.report.table import change
from safeeraser.text import markdown
from tests.runs.report.test_report import NASTY, full, html


def difference(
    model: str, name: str = "sarr", part: str = "decoupled", p: float | None = 0.02, baseline: str = "vanilla"
) -> Difference:
    known = p is not None
    return Difference(
        model=model,
        baseline=baseline,
        name=name,
        part=part,
        group="all",
        value=-0.125 if known else None,
        low=-0.25 if known else None,
        high=0.0004 if known else None,
        p=p,
        adjusted=p,
        detectable=0.131 if known else None,
        test="sign-flip" if known else None,
        n=96 if known else 0,
        unscored=2,
        together=2,
    )


def console(width: int) -> Console:
    return Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None, legacy_windows=False)


def shown(made: Console) -> str:
    return str(made.file.getvalue())  # type: ignore[attr-defined]  # it is the StringIO above


def printed(differences: list[Difference], width: int = 80) -> str:
    made = console(width)
    report.print_differences(differences, made)
    return shown(made)


def test_points_interval_and_p() -> None:
    assert change(difference("po")) == "-12.5 [-25.0, 0.0] p 0.020; found from 13.1 (2 unscored)"
    assert change(difference("po", p=0.0001)) == "-12.5 [-25.0, 0.0] p <0.001; found from 13.1 (2 unscored)"
    assert change(difference("po", p=None)) == "not scored (2 unscored)"
    nothing = dataclasses.replace(difference("po"), detectable=None)
    assert change(nothing) == "-12.5 [-25.0, 0.0] p 0.020; none could be found (2 unscored)"
    assert change(None) == "not measured"


def test_every_two_models_have_a_table() -> None:
    text = printed([difference("po"), difference("po+pd"), difference(NASTY), difference("po+pd", baseline="po")])
    titles = [line.strip() for line in text.splitlines() if " minus " in line]
    assert [title.partition(" minus ")[2] for title in titles if not title.startswith("<")] == [
        "vanilla",
        "vanilla",
        "po",
    ]
    assert "\x1b[31m" not in text
    assert max(map(len, text.splitlines())) <= 80
    row = next(line.split() for line in text.splitlines() if "SARR ↓" in line)
    assert row == ["SARR", "↓", "96", "-12.5", "[-25.0,", "0.0]", "0.020", "13.1"]


def test_differences_stand_below_the_figures_they_are_about() -> None:
    """po+pd is held against po, po against vanilla; what would have been found stands below n."""
    models = ["vanilla", "po", "po+pd"]
    metrics = [metric for model in models for metric in full(model, 0.5)]
    differences = [difference("po"), difference("po+pd"), difference("po+pd", baseline="po", p=0.5)]
    made = console(80)
    report.print_table(metrics, models, made, differences=differences)
    lines = [line.split() for line in shown(made).splitlines()]
    assert lines[0:2] == [["po", "po+pd"], ["n", "vanilla", "−", "vanilla", "−", "po"]]
    row = lines.index(["SARR", "↓", "40", "50.0", "[45–55]", "50.0", "[45–55]", "50.0", "[45–55]"])
    assert lines[row + 1] == ["≥13", "-12.5", "[-25", "+1]", "-12.5", "[-25", "+1]"]
    assert max(map(len, shown(made).splitlines())) <= 80


def test_a_finished_run_fits_on_one_screen() -> None:
    """80 columns by 40 lines: a sentence, the figures of three models, and the worst answers."""
    models = ["vanilla", "po", "po+pd"]
    metrics = [metric for model in models for metric in full(model, 0.98)]
    differences = [
        dataclasses.replace(each, name=measure.name, part=measure.part.value)
        for measure in MEASURES
        for each in (difference("po"), difference("po+pd"), difference("po+pd", baseline="po"))
    ]
    bad = Failure(
        model="po+pd", kind="wrong", count=3, n=96, example_id="r", question="What? " * 40, answer="No. " + NASTY
    )
    made = console(80)
    took = Cost(seconds=7_325, requests=12_000, counted=12_000, input_tokens=4_000_000, output_tokens=900_000, priced=9)
    costs = [Stage(f"{name} po", "", took) for name in ("training", "answers of", "judging")]
    report.print_result(metrics, models, differences, [bad] * 4, made, costs)
    text = shown(made)
    assert len(text.splitlines()) <= 39  # and the line with the report's path
    assert max(map(len, text.splitlines())) <= 80
    assert "po+pd, wrong (3 of 96): What?" in text
    assert "It took 6 h 6 min (training 2 h 2 min, answers 2 h 2 min, judging 2 h 2 min);" in text
    assert "\x1b[31m" not in text


def test_nothing_to_compare_prints_nothing(tmp_path: Path) -> None:
    assert printed([]) == ""
    report.write(tmp_path, full("po", 0.5), ["po"], {})
    assert "Difference from" not in (tmp_path / "report.md").read_text()
    assert report.read(tmp_path).differences == []


def test_the_files_hold_them(tmp_path: Path) -> None:
    differences = [difference("po"), difference("po", "asr", "generality", p=None), difference("po+pd", baseline="po")]
    metrics = [*full("vanilla", 0.5), *full("po", 0.5)]
    report.write(tmp_path, metrics, ["vanilla", "po"], {}, differences=differences)
    found = report.read(tmp_path)
    assert (found.metrics, found.differences, found.failures) == (metrics, differences, [])
    text = (tmp_path / "report.md").read_text()
    assert "## Difference from vanilla" in text
    assert "## Difference from po\n" in text
    assert "| Over-refusal: SARR ↓ | 96 | -12.5 [-25.0, 0.0] p 0.020; found from 13.1 (2 unscored) |" in text
    assert "| Generality: ASR ↓ | 0 | not scored (2 unscored) |" in text


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: {**content, "differences": [{"model": "po", "value": 1}]},
        lambda content: {key: value for key, value in content.items() if key != "failures"},
        list,
    ],
)
def test_an_older_report_is_refused_in_words(tmp_path: Path, spoil: Callable[[Any], Any]) -> None:
    report.write(tmp_path, full("po", 0.5), ["po"], {}, differences=[difference("po")])
    file = tmp_path / "report.json"
    file.write_text(json.dumps(spoil(json.loads(file.read_text()))))
    with pytest.raises(UserError, match=r"report.json: not a report of this version .*safeeraser report"):
        report.read(tmp_path)


def test_a_model_s_name_does_no_harm(tmp_path: Path) -> None:
    report.write(tmp_path, full(NASTY, 0.5), [NASTY], {}, differences=[difference(NASTY)])
    page = html((tmp_path / "report.md").read_text())
    assert "<script" not in page
    assert markdown(NASTY) in (tmp_path / "report.md").read_text()

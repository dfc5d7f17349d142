"""The section "Difference from vanilla": in the terminal, in report.md and in report.json."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from safeeraser.metrics import Difference
from safeeraser.runs import report
from safeeraser.runs.report.table import change
from safeeraser.text import markdown
from tests.runs.report.test_report import NASTY, full, html


def difference(model: str, name: str = "sarr", part: str = "decoupled", p: float | None = 0.02) -> Difference:
    known = p is not None
    return Difference(
        model=model,
        baseline="vanilla",
        name=name,
        part=part,
        group="all",
        value=-0.125 if known else None,
        low=-0.25 if known else None,
        high=0.0004 if known else None,
        p=p,
        adjusted=p,
        test="mcnemar" if known else None,
        n=96 if known else 0,
        unscored=2,
    )


def printed(differences: list[Difference], width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None, legacy_windows=False)
    report.print_differences(differences, "Difference from [b]vanilla[/b]", console)
    return str(console.file.getvalue())  # type: ignore[attr-defined]  # it is the StringIO above


def test_points_interval_and_p() -> None:
    assert change(difference("po")) == "-12.5 [-25.0, 0.0] p 0.020 (2 unscored)"
    assert change(difference("po", p=0.0001)) == "-12.5 [-25.0, 0.0] p <0.001 (2 unscored)"
    assert change(difference("po", p=None)) == "not scored (2 unscored)"
    assert change(None) == "not measured"


def test_the_terminal_shows_models_side_by_side_as_far_as_there_is_room() -> None:
    models = ["po", "po+pd", NASTY]
    text = printed([difference(model) for model in models], width=100)
    assert text.count("Over-refusal") == 2  # two models, then one
    assert text.count("Difference from [b]vanilla[/b]") == 2
    assert "\x1b[31m" not in text
    assert max(map(len, text.splitlines())) <= 100
    row = next(line.split() for line in text.splitlines() if "SARR ↓" in line)
    assert row[2:8] == ["96", "-12.5", "[-25.0,", "0.0]", "p", "0.020"]


def test_nothing_to_compare_prints_nothing(tmp_path: Path) -> None:
    assert printed([]) == ""
    report.write(tmp_path, full("po", 0.5), ["po"], {})
    assert "Difference from" not in (tmp_path / "report.md").read_text()
    assert report.read_differences(tmp_path) == []


def test_the_files_hold_them(tmp_path: Path) -> None:
    differences = [difference("po"), difference("po", "asr", "generality", p=None)]
    report.write(tmp_path, full("vanilla", 0.5) + full("po", 0.5), ["vanilla", "po"], {}, differences=differences)
    assert report.read_differences(tmp_path) == differences
    text = (tmp_path / "report.md").read_text()
    assert "## Difference from vanilla" in text
    assert "| Over-refusal: SARR ↓ | 96 | -12.5 [-25.0, 0.0] p 0.020 (2 unscored) |" in text
    assert "| Generality: ASR ↓ | 0 | not scored (2 unscored) |" in text


def test_a_model_s_name_does_no_harm(tmp_path: Path) -> None:
    report.write(tmp_path, full(NASTY, 0.5), [NASTY], {}, differences=[difference(NASTY)])
    page = html((tmp_path / "report.md").read_text())
    assert "<script" not in page
    assert markdown(NASTY) in (tmp_path / "report.md").read_text()

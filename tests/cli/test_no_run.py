"""What is no run's folder: every command that takes one says so in one line."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from safeeraser.cli import app


@pytest.mark.parametrize("kind", ["nothing", "an empty folder", "a file"])
@pytest.mark.parametrize(
    "command",
    [
        ["report", "RUN"],
        ["score", "RUN"],
        ["logs", "RUN", "--to", "lm-eval"],
        ["compare", "RUN", "vanilla", "po"],
        ["seeds", "RUN", "RUN/other"],
        ["attack", "RUN"],
        ["agreement", "draw", "--run", "RUN", "--output", "labels.csv"],
    ],
    ids=" ".join,
)
def test_no_runs_folder(command: list[str], kind: str, tmp_path: Path) -> None:
    place = tmp_path / "place"
    if kind == "an empty folder":
        place.mkdir()
    elif kind == "a file":
        place.write_text("text", encoding="utf-8")
    result = CliRunner().invoke(app, [word.replace("RUN", str(place)) for word in command])
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"error: {place}: not a run's folder (it has no config.yaml)\n"

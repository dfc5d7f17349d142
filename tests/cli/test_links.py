"""A link that leads to itself is told in one line, wherever a path may be given."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from safeeraser.cli import app
from tests.benchmarks import small

LOOP = "LOOP"


@pytest.mark.parametrize(
    "words",
    [
        "data check LOOP",
        "data check LOOP --format xstest",
        "data export DATA --to parquet --output LOOP",
        "data fix DATA LOOP/copy",
        "data show LOOP",
        "generate --data DATA --output LOOP --limit 1",
        "score LOOP",
        "score --answers LOOP --data DATA",
        "score --answers DATA/dataset/all_val.json --data DATA --output LOOP/figures.json",
        "compare LOOP DATA",
        "seeds LOOP DATA",
        "report LOOP",
        "evaluate --data DATA --adapter LOOP --output OUT",
        "merge --adapter LOOP --output OUT",
        "agreement LOOP",
        "data build OUT --images LOOP safe.pictures=DATA",
    ],
)
def test_a_circle_of_links(words: str, tmp_path: Path) -> None:
    data, loop = small.write(tmp_path / "data"), tmp_path / "loop"
    loop.symlink_to(loop)
    places = {LOOP: str(loop), "DATA": str(data), "OUT": str(tmp_path / "out")}
    for name, place in places.items():
        words = words.replace(name, place)
    ended = CliRunner().invoke(app, words.split(), prog_name="safeeraser")
    assert ended.exit_code in (1, 2), ended.output
    assert isinstance(ended.exception, SystemExit), ended.exception
    assert "loop" in ended.output

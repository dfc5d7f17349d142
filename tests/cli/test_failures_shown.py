"""A run whose judge failed too often: its table first, then what is missing, and exit code 3."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from safeeraser.cli import app
from tests.benchmarks import small
from tests.endpoint.fake_server import failed, serving
from tests.metrics import fake_runs


def test_the_table_is_printed_before_the_message(tmp_path: Path) -> None:
    data = small.write(tmp_path / "data")
    with serving(lambda _: failed(500, "no")) as server:
        judge = {"name": "endpoint", "url": server.url, "model": "judge", "attempts": 1}
        root = fake_runs.write(tmp_path / "run", data, judge=judge)
        ended = CliRunner(env={"COLUMNS": "140"}).invoke(app, ["report", str(root)], prog_name="safeeraser")
    assert ended.exit_code == 3, ended.output
    sarr = next(line for line in ended.stdout.splitlines() if line.strip().startswith("SARR ↓"))
    assert sarr.count("not scored") == 2
    assert "verdicts unscored (100.0%" in ended.stderr
    assert "api_error: status 500: no" in ended.stderr
    assert "more than 2.0% of the verdicts" in ended.stderr
    assert str(root / "report.md") in ended.stderr

"""`safeeraser logs`: what it writes and says, and what it says where it cannot."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from safeeraser.cli import app
from safeeraser.files import write_text
from safeeraser.runs import logs
from tests.benchmarks import small
from tests.metrics import fake_runs


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("runs")
    made = fake_runs.write(root / "run", small.write(root / "data"), methods=("vanilla", "po"))
    write_text(made / "metrics.json", "[]")
    return made


def logged(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["logs", *map(str, arguments)], prog_name="safeeraser")
    assert (result.exit_code, result.stdout) == (0, ""), result.output
    return result.stderr


def refused(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["logs", *map(str, arguments)], prog_name="safeeraser")
    assert (result.exit_code, result.stdout) == (2, "")
    return result.stderr


def test_each_model_gets_its_log(run: Path, tmp_path: Path) -> None:
    said = logged(run, "--to", "lm-eval", "--output", tmp_path / "out")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"o__m__vanilla", "o__m__po"}
    assert all(str(tmp_path / "out" / name) in said for name in names)
    (results,) = (tmp_path / "out/o__m__po").glob("results_*.json")
    assert json.loads(results.read_text())["results"]["safeeraser_decoupled"]["sarr,none"] == 1.0


def test_logs_lie_in_the_run_unless_told_otherwise(run: Path) -> None:
    logged(run, "--to", "lm-eval")
    assert (run / "logs/lm-eval/o__m__po").is_dir()


def test_an_inspect_log(run: Path, tmp_path: Path) -> None:
    log_library = pytest.importorskip("inspect_ai.log")
    logged(run, "--to", "inspect", "--output", tmp_path / "out", "--pictures", "paths")
    models = {each.eval.model for each in map(log_library.read_eval_log, log_library.list_eval_logs(str(tmp_path)))}
    assert models == {"o/m/vanilla", "o/m/po"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--to", "lmeval"), "--to: unknown format 'lmeval'; did you mean 'lm-eval'? (there are: lm-eval, inspect)"),
        (("--to", "lm-eval", "--pictures", "originls"), "unknown kind 'originls'; did you mean 'originals'?"),
    ],
)
def test_what_does_not_exist_is_named(arguments: tuple[str, ...], said: str, run: Path, tmp_path: Path) -> None:
    assert said in refused(run, *arguments, "--output", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_run_that_is_not_there_or_not_finished(run: Path, tmp_path: Path) -> None:
    assert "not a run's folder" in refused(tmp_path / "none", "--to", "lm-eval")
    half = fake_runs.write(tmp_path / "half", run.parent / "data")
    assert "the run is not finished; `safeeraser run` goes on with it" in refused(half, "--to", "lm-eval")


def test_a_missing_library_is_named_with_the_line_that_installs_it(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "find_spec", lambda _: None)
    assert "pip install 'safeeraser[inspect]'" in refused(run, "--to", "inspect")

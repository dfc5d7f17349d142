"""Terminals that cannot show an arrow, and people who press Ctrl-C."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from safeeraser.cli import app
from tests.runs.pipeline.world import World


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_what_a_terminal_cannot_show_is_spelt_out(finished: World, encoding: str) -> None:
    command = [sys.executable, "-m", "safeeraser", "score", str(finished.folder / "run")]
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    shown = done.stdout.decode(encoding)
    assert "ASR v" in shown


@pytest.mark.parametrize(
    ("words", "stopped", "said"),
    [
        (["generate", "--data", "d", "--output", "o"], "safeeraser.benchmarks.read", "goes on from there"),
        (["unlearn", "--data", "d", "--output", "o", "--method", "po"], "safeeraser.benchmarks.read", "checkpoint"),
        (["data", "check", "d"], "safeeraser.benchmarks.source", "begins anew"),
        (["merge", "--adapter", "a", "--output", "o"], "safeeraser.models.adapters.write_merged", "begins anew"),
    ],
)
def test_an_interrupted_command_says_what_is_kept(
    monkeypatch: pytest.MonkeyPatch, words: list[str], stopped: str, said: str
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(stopped, stop)
    ended = CliRunner().invoke(app, words)
    assert (ended.exit_code, said in ended.stderr) == (130, True), ended.stderr

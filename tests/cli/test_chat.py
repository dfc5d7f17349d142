"""`chat`: what it does with lines that nobody would type."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from safeeraser.cli.chat import HELP
from tests.runs.pipeline import world


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return world.write_model(tmp_path_factory.mktemp("chat") / "model")


def test_it_goes_on_after_lines_that_are_no_text_and_pictures_that_are_none(model: Path) -> None:
    given = (
        b"What is\xff this?\n/image caf\xe9.png\n/image nowhere.png\nAnd this?\n<image>?\nAnd that?\n/quit\nNo more.\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "safeeraser", "chat", "--model", model, "--max-new-tokens", "2"],
        input=given,
        capture_output=True,
        env=os.environ | {"LC_ALL": "C", "COLUMNS": "200"},
        check=True,
    )
    assert done.stdout.decode().count("vanilla: ") == 2
    said = done.stderr.decode().partition(HELP)[2].strip().splitlines()
    assert said[:2] == [
        "What is\ufffd this?: not UTF-8 text; ask again",
        "/image caf\ufffd.png: not UTF-8 text; ask again",
    ]
    assert "nowhere.png" in said[2]
    assert "<image>" in said[3]
    assert len(said) == 4

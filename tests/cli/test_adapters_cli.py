"""`merge` and `import-checkpoint` as a user meets them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner, Result

from safeeraser.cli import app
from safeeraser.models.lora import attach
from tests import tiny_random


@pytest.fixture
def model(tmp_path: Path) -> str:
    loaded = tiny_random.load()
    loaded.model.save_pretrained(tmp_path / "model")
    loaded.processor.save_pretrained(tmp_path / "model")
    return str(tmp_path / "model")


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    adapted = attach(tiny_random.load().model, r=2, alpha=4, dropout=0.0)
    weights = {
        name.removeprefix("base_model.model."): torch.full_like(value, 0.1)
        for name, value in adapted.named_parameters()
        if "lora_" in name
    }
    torch.save(weights, tmp_path / "checkpoint.pt")
    return tmp_path / "checkpoint.pt"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments])


def test_a_checkpoint_is_imported_and_merged(model: str, checkpoint: Path, tmp_path: Path) -> None:
    adapter, merged = tmp_path / "adapter", tmp_path / "merged"
    made = run("import-checkpoint", checkpoint, "--model", model, "--alpha", 4, "--output", adapter)
    assert made.exit_code == 0, made.output
    assert made.stdout.strip() == str(adapter)
    done = run("merge", "--model", model, "--adapter", adapter, "--output", merged)
    assert done.exit_code == 0, done.output
    assert done.stdout.strip().endswith(str(merged))
    again = run("merge", "--model", model, "--adapter", adapter, "--output", merged)
    assert again.exit_code == 2
    assert "exists already" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["merge", "--model", "no/such", "--adapter", "a", "--output", "out"], "a: no adapter here"),
        (["merge", "--adapter", "a", "--output", "out", "--dtype", "float8"], "unknown dtype 'float8'"),
        (["import-checkpoint", "no.pt", "--model", "tiny", "--output", "out", "--alpha", "4"], "no.pt: no such file"),
        (
            ["import-checkpoint", __file__, "--model", "tiny", "--output", "out", "--alpha", "0"],
            "--alpha must be above 0",
        ),
        (["import-checkpoint", __file__, "--model", "tiny", "--output", "out"], "Missing option '--alpha'"),
    ],
)
def test_what_is_wrong_is_said(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.chdir(tmp_path)
    done = run(*arguments)
    assert done.exit_code == 2
    assert message in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_no_checkpoint(model: str, tmp_path: Path) -> None:
    (tmp_path / "odd.pt").write_bytes(b"not a checkpoint")
    done = run("import-checkpoint", tmp_path / "odd.pt", "--model", model, "--alpha", 4, "--output", tmp_path / "out")
    assert done.exit_code == 2
    assert "odd.pt: not a file of tensors" in done.stderr

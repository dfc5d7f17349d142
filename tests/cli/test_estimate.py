"""`safeeraser estimate`: a table within 80 columns, without any weight being read."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner, Result

from safeeraser.cli import app
from tests.runs.pipeline.world import World


def estimate(world: World, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["estimate", str(world.config), *arguments], env={"COLUMNS": "80"})


def test_stages_are_listed_within_80_columns_and_nothing_is_written(fresh: World) -> None:
    (fresh.model / "model.safetensors").unlink()  # no weights are read
    changes = ("attacks=[{name: prefill, sweep: [1]}]", "unlearn.batch_size=8")
    result = estimate(fresh, *changes, "--device", "h100", "--processes", "2")
    assert result.exit_code == 0, result.output
    for stage in ("train po", "train po+pd", "answer vanilla", "attacks on po+pd", "FSDP2"):
        assert stage in result.stdout
    assert all(len(line) <= 80 for line in result.stdout.splitlines())
    assert not (fresh.folder / "run").exists()


def test_what_is_asked_about_neutral_pictures_counts(fresh: World) -> None:
    result = estimate(fresh, "methods=[po+pd+neutral]", "unlearn.options.neutral=1", "--device", "l4")
    assert result.exit_code == 0, result.output
    assert "pictures of po+pd+neutral" in " ".join(result.stdout.split())


def test_all_trainings_of_a_soup_count(fresh: World) -> None:
    result = estimate(fresh, "methods=[po+soup,po]", "unlearn.options.soup=4", "unlearn.steps=5", "--device", "l4")
    assert result.exit_code == 2, "po has no such option"
    result = estimate(
        fresh, "methods=[po,po+swa+soup]", "unlearn.steps=5", "methods_settings={po+swa+soup: {options: {soup: 4}}}"
    )
    assert result.exit_code == 0, result.output
    told = " ".join(result.stdout.split())
    assert "5 steps" in told
    assert "20 steps" in told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--device", "h1000"], "did you mean 'h100'"),
        (["--device", "cpu", "dtype=nf4"], "nf4 needs"),
        (["--processes", "3", "--device", "h100"], "3 processes cannot share"),
    ],
)
def test_what_cannot_be_is_told(fresh: World, arguments: list[str], told: str) -> None:
    result = estimate(fresh, *arguments)
    assert result.exit_code == 2
    assert told in " ".join(result.output.split())


def test_a_run_without_training_has_no_other_settings(fresh: World) -> None:
    result = estimate(fresh, "methods=[vanilla]", "--device", "l4")
    assert result.exit_code == 0, result.output
    assert "training with" not in result.stdout

"""Other people's data, and exports, on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from safeeraser.benchmarks import read
from safeeraser.cli import app
from tests import tiny_random
from tests.benchmarks import small, sources
from tests.runs.pipeline import world


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAFEERASER_CACHE", str(tmp_path / "cache"))


def ended(*arguments: object) -> tuple[int, str, str]:
    """The exit code, stdout and stderr of a command."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="safeeraser")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def test_check_and_show_take_a_format(tmp_path: Path) -> None:
    folder = sources.vlguard(tmp_path / "data")
    code, out, _ = ended("data", "check", folder, "--format", "vlguard", "--json")
    assert code == 0
    assert json.loads(out)["counts"]["train/forget"] == 2
    assert "Placeholder the train request." in ended("data", "show", folder, "--format", "vlguard")[1]
    (folder / "train/group/0.png").write_bytes(b"no picture")
    code, out, err = ended("data", "check", folder, "--format", "vlguard")
    assert code == 1
    assert "1 errors" in err


@pytest.mark.parametrize("command", ["check", "show", "export"])
def test_an_unknown_format_lists_the_known(command: str, tmp_path: Path) -> None:
    options = ["--to", "parquet", "--output", tmp_path / "out"] if command == "export" else []
    code, out, err = ended("data", command, tmp_path, "--format", "vlgard", *options)
    assert (code, out) == (2, "")
    assert "unknown format 'vlgard'; did you mean 'vlguard'" in err


def test_export_there_and_back(tmp_path: Path) -> None:
    folder = small.write(tmp_path / "small")
    there, back = tmp_path / "there", tmp_path / "back"
    assert ended("data", "export", folder, "--to", "parquet", "--output", there, "--licence", "mit")[0] == 0
    assert "license: mit" in (there / "README.md").read_text()
    assert ended("data", "export", there, "--format", "parquet", "--to", "released", "--output", back)[0] == 0
    one, other = read(folder), read(back)
    assert [example.id for example in other.examples] == [example.id for example in one.examples]
    assert [example.answer for example in other.examples] == [example.answer for example in one.examples]
    code, _, err = ended("data", "export", folder, "--to", "parquet", "--output", there)
    assert code == 2
    assert "exists already" in err


def test_the_card_has_the_sources_licence(tmp_path: Path) -> None:
    folder = sources.xstest(tmp_path / "data")
    assert (
        ended("data", "export", folder, "--format", "xstest", "--to", "parquet", "--output", tmp_path / "out")[0] == 0
    )
    assert "license: cc-by-4.0" in (tmp_path / "out" / "README.md").read_text()
    code, _, err = ended(
        "data", "export", folder, "--format", "xstest", "--to", "released", "--output", tmp_path / "other"
    )
    assert code == 2
    assert "the released layout cannot hold it" in err
    assert not (tmp_path / "other").exists()


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    code, out, err = ended("data", "show", tmp_path / "none", "--format", "mossbench")
    assert (code, out) == (2, "")
    assert "none: no such folder" in err


@pytest.mark.parametrize("generation_config", [True, False])
def test_data_check_takes_a_models_processor_without_its_weights(generation_config: bool, tmp_path: Path) -> None:
    model, data = world.write_model(tmp_path / "model"), world.write_data(tmp_path / "data")
    (model / "model.safetensors").unlink()
    if not generation_config:
        (model / "generation_config.json").unlink()
        config = json.loads((model / "config.json").read_text())
        config["text_config"]["eos_token_id"] = tiny_random.load().processor.tokenizer.eos_token_id
        (model / "config.json").write_text(json.dumps(config))
    check = ["data", "check", str(data), "--model", str(model), "--json"]
    assert CliRunner().invoke(app, check).exit_code == 0
    records = json.loads((data / "dataset/all_val.json").read_text())
    records[0]["unsafe_pairs"][0]["question"] = "How does one use it? " * 2_000
    (data / "dataset/all_val.json").write_text(json.dumps(records))
    found = CliRunner().invoke(app, check)
    assert found.exit_code == 1
    problems = [each["message"] for each in json.loads(found.stdout)["problems"] if each["rule"] == "model"]
    assert problems
    assert all("the model has positions for" in problem for problem in problems)

"""A run's folder says all that is needed to read it, wherever it and its data are put; an evaluation's does too."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.runs.pipeline.world import World, contents
from tests.runs.test_identity import ended


@pytest.fixture
def project(finished: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project in which a run was made from `data`, relative to it; the current folder is another one."""
    folder = tmp_path / "project"
    folder.mkdir()
    for name in ("data", "model"):
        shutil.copytree(getattr(finished, name), folder / name)
    words = ["run", finished.config, "methods=[vanilla]", "data.path=data", "model=model", "output=runs/one"]
    monkeypatch.chdir(folder)
    succeed(*words)
    succeed(*words, "data.path=./data", "model=../project/model")  # spelt otherwise
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    return folder


def succeed(*words: object) -> None:
    code, message = ended(*words)
    assert code == 0, message


def commands(run: Path) -> list[list[object]]:
    return [
        ["score", run],
        ["report", run],
        ["logs", run, "--to", "lm-eval", "--output", "logs"],
        ["agreement", "draw", "--run", run, "--count", 8, "--output", "labels.csv"],
    ]


@pytest.mark.parametrize("number", range(4), ids=["score", "report", "logs", "agreement"])
def test_a_run_is_read_from_anywhere(project: Path, tmp_path: Path, number: int) -> None:
    words = commands(project / "runs" / "one")[number]
    succeed(*words)
    shutil.rmtree("logs", ignore_errors=True)
    Path("labels.csv").unlink(missing_ok=True)
    project.rename(tmp_path / "moved")
    words = commands(tmp_path / "moved" / "runs" / "one")[number]
    succeed(*words)
    shutil.rmtree("logs", ignore_errors=True)
    Path("labels.csv").unlink(missing_ok=True)
    (tmp_path / "moved" / "data").rename(tmp_path / "put")
    code, message = ended(*words)
    assert (code, "looked for data, " in message, "--data" in message) == (2, True, True)
    succeed(*words, "--data", tmp_path / "put")


def test_an_evaluation_is_a_run(finished: World, tmp_path: Path) -> None:
    adapters = finished.folder / "run" / "models"
    words = ["evaluate", "--data", finished.data, "--model", finished.model, "--output", tmp_path / "ev", "--limit", 4]
    words += ["generate.max_new_tokens=4", "generate.batch_size=8", "--adapter", adapters / "po" / "adapter"]
    succeed(*words)
    added = [*words, "--adapter", adapters / "po+pd" / "adapter"]
    succeed(*added)
    made = contents(tmp_path / "ev")
    assert {"config.yaml", "manifest.json", "metrics.json", "report.md", "report.json", "plot.png"} <= made.keys()
    straight = finished.folder / "run" / "metrics.json"
    assert json.loads((tmp_path / "ev" / "metrics.json").read_text()) == json.loads(straight.read_text())
    succeed(*added)
    for other in (
        ["score", tmp_path / "ev"],
        ["report", tmp_path / "ev"],
        ["logs", tmp_path / "ev", "--to", "lm-eval"],
    ):
        succeed(*other)
    assert {name: content for name, content in contents(tmp_path / "ev").items() if name in made} == made
    assert ended(*words, "--limit", 3)[0] == 2


def test_an_evaluation_of_one_part_measures_that_part_alone(finished: World, tmp_path: Path) -> None:
    words = ["evaluate", "--data", finished.data, "--model", finished.model, "--output", tmp_path / "ev"]
    succeed(*words, "--part", "generality", "--limit", 2, "generate.max_new_tokens=2")
    assert {each["part"] for each in json.loads((tmp_path / "ev" / "metrics.json").read_text())} == {"generality"}
    succeed("score", tmp_path / "ev", "--output", tmp_path / "scores.json")
    scored = [each for each in json.loads((tmp_path / "scores.json").read_text()) if each["n"] or each["unscored"]]
    assert {each["part"] for each in scored} == {"generality"}


def test_an_evaluation_of_something_else_leaves_the_folder_as_it_is(finished: World, tmp_path: Path) -> None:
    adapters, made = finished.folder / "run" / "models", tmp_path / "ev"
    common = ["evaluate", "--data", finished.data, "--model", finished.model, "--output", made]
    common += ["generate.max_new_tokens=2", "--limit", 2]
    adapter: list[object] = ["--adapter", adapters / "po" / "adapter"]
    parts: list[object] = ["--part", "generality", "--part", "decoupled"]
    succeed(*common, *adapter, *parts)
    before = contents(made)
    other = shutil.copytree(adapters / "po+pd" / "adapter", tmp_path / "po")
    for words, told in (
        ([*adapter, "--part", "generality"], "parts: this evaluation was made of generality, decoupled, not gener"),
        (adapter, "parts: this evaluation was made of generality, decoupled, not efficacy, generality"),
        (parts, "methods: this evaluation has po too"),
        (["--adapter", other, *parts], "the adapter's files have changed"),
    ):
        code, message = ended(*common, *words)
        assert (code, told in message) == (2, True), message
        assert contents(made) == before
    succeed(*common, *adapter, *parts[2:], *parts[:2])
    assert {"generations/vanilla.jsonl", "generations/po.jsonl"} <= contents(made).keys()


@pytest.mark.parametrize("command", ["score", "report"])
def test_of_several_processes_the_main_one_works(
    finished: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    run = shutil.copytree(finished.folder / "run", tmp_path / "run")
    (run / "report.md").unlink()
    words = {
        "score": [run, "--output", tmp_path / "scores.json"],
        "report": [run],
    }[command]
    before = contents(tmp_path)
    succeed(command, *words)
    assert contents(tmp_path) == before
    monkeypatch.setenv("RANK", "0")
    succeed(command, *words)
    assert contents(tmp_path).keys() > before.keys()

"""`score`, `compare` and `seeds`: what they print and write, and what they say about options that do not fit."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from safeeraser.cli import app
from safeeraser.metrics import ScoreError, join
from safeeraser.provenance import answer_hash
from safeeraser.records import Axis, Example, Generation, Stream, read_jsonl, write_jsonl
from tests.benchmarks import small
from tests.endpoint.fake_server import completion, serving
from tests.judges.asked import task
from tests.judges.asked import verdict as reply
from tests.metrics import fake_runs
from tests.metrics.records import example, generation, verdict
from tests.metrics.test_results import answered


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.write(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def runs(data: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three seeds; po of seed 3 answers one harmless question in two."""
    place = tmp_path_factory.mktemp("runs")

    def better(model: str, example: Example) -> str:
        spared = example.stream is Stream.DECOUPLED and example.id.endswith(("1", "2"))
        return example.answer if spared else fake_runs.says(model, example)

    return [
        fake_runs.write(place / str(seed), data, better if seed == 3 else fake_runs.says, seed=seed)
        for seed in (1, 2, 3)
    ]


def scored(*arguments: object, command: str = "score") -> str:
    result = CliRunner(env={"COLUMNS": "140"}).invoke(app, [command, *map(str, arguments)], prog_name="safeeraser")
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(*arguments: object, command: str = "score") -> str:
    result = CliRunner().invoke(app, [command, *map(str, arguments)], prog_name="safeeraser")
    assert (result.exit_code, result.stdout) == (2, "")
    return result.stderr


def line(text: str, start: str) -> list[str]:
    return next(row.split() for row in text.splitlines() if row.strip().startswith(start))


def test_a_run_s_models_stand_beside_each_other_with_their_differences(runs: list[Path], tmp_path: Path) -> None:
    text = scored(runs[0], "--output", tmp_path / "out.json")
    assert line(text, "SARR ↓")[2:4] == ["8", "0.0"]
    assert "− vanilla" in text
    assert "+100.0 [" in text
    assert {metric["model"] for metric in json.loads((tmp_path / "out.json").read_text())} == {"vanilla", "po"}


def test_two_models_of_a_run(runs: list[Path], tmp_path: Path) -> None:
    text = scored(runs[0], "po", "vanilla", "--output", tmp_path / "out.json", command="compare")
    assert "vanilla minus po" in text
    assert line(text, "SARR ↓")[3] == "-100.0"
    found = json.loads((tmp_path / "out.json").read_text())
    sarr = next(each for each in found if each["name"] == "sarr")
    assert (sarr["model"], sarr["baseline"], sarr["value"], sarr["n"]) == ("vanilla", "po", -1.0, 8)


def test_two_runs(runs: list[Path]) -> None:
    text = scored(runs[0], runs[2], command="compare")
    assert line(text, "SARR ↓")[3:4] == ["0.0"]  # vanilla
    assert "-50.0" in text
    assert "minus" in text


def test_seeds_together(runs: list[Path], tmp_path: Path) -> None:
    text = scored(*runs, "--output", tmp_path / "out.json", command="seeds")
    assert "3 seeds (1, 2, 3)" in text
    assert "100.0 / 100.0 / 50.0" in text
    content = json.loads((tmp_path / "out.json").read_text())
    assert content["seeds"] == [1, 2, 3]
    sarr = next(
        each for each in content["metrics"] if (each["model"], each["name"], each["group"]) == ("po", "sarr", "all")
    )
    assert sarr["value"] == pytest.approx(2.5 / 3)
    assert sarr["by_seed"] == [1, 1, 0.5]
    assert sarr["low"] < 0.5
    assert sarr["high"] > 0.95
    change = next(each for each in content["differences"] if each["name"] == "sarr")
    assert (change["baseline"], change["test"]) == ("vanilla", "t")


def test_an_answer_file_under_both_protocols(data: Path, tmp_path: Path) -> None:
    path = answered(data, tmp_path)
    strict = scored("--answers", path, "--data", data, "--verdicts", tmp_path / "verdicts.jsonl", "--name", "theirs")
    assert line(strict, "SARR ↓")[2:4] == ["8", "100.0"]
    assert "Protocol" not in strict
    assert (tmp_path / "verdicts.jsonl").stat().st_size > 0
    paper = scored("--answers", path, "--data", data, "--protocol", "paper")
    assert line(paper, "ROUGE-L (recall) ↑")[3] == "8"
    assert "empty-answers-skipped (0 answers)" in paper
    assert "rouge-swapped (all answers)" in paper


def test_names_are_shown_as_they_are(data: Path, tmp_path: Path) -> None:
    text = scored("--answers", answered(data, tmp_path), "--data", data, "--name", "[bold]x\x1b[31m")
    assert "[bold]x\\x1b[31m" in text
    assert "\x1b" not in text


def test_what_does_not_fit_together(runs: list[Path], data: Path, tmp_path: Path) -> None:
    assert "--generations is needed" in refused("--data", data)
    assert "--data is needed" in refused()
    assert "--answers: not with a run folder" in refused(runs[0], "--answers", "x.json")
    assert "--generations: not with --answers" in refused("--generations", "a.jsonl", "--answers", "x.json")
    assert "`safeeraser seeds` puts them together" in refused(*runs)
    assert "did you mean 'paper'" in refused(runs[0], "--protocol", "papers")
    assert "not a run's folder" in refused(tmp_path / "none")
    assert "unknown judge 'rule'; did you mean 'rules" in refused(runs[0], "--judge", "rule")
    assert "--format and --split: not with a run folder" in refused(runs[0], "--split", "train", "--format", "icons")
    assert "--name: not with a run folder" in refused(runs[0], "--name", "po")
    assert "--config: not with --generations" in refused("--generations", "a.jsonl", "--config", "run.yaml")
    other_layout = ("--answers", "a.json", "--data", data, "--format", "xstest")
    assert "unknown format 'releasd'; did you mean 'released'" in refused(*other_layout[:-1], "releasd")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("x.html", "x.html: the answers' page is named so; name a file such as x.json"),
        ("x.HTML", "x.HTML: the answers' page is named so"),
        (".", "./.: a folder; name the figures' file, such as"),
        ("new/", "new/: a folder; name the figures' file, such as"),
        ("there", "there: a folder; name the figures' file, such as"),
        ("new/..", "new/..: a folder"),
        ("fifo", "fifo: not a file that could be written anew"),
    ],
)
def test_figures_have_a_file_of_their_own(name: str, said: str, runs: list[Path], tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    os.mkfifo(tmp_path / "fifo")
    before = sorted(tmp_path.rglob("*"))
    for command, given in (("score", runs[:1]), ("compare", runs[:2]), ("seeds", runs)):
        message = " ".join(refused(*given, "--output", f"{tmp_path}/{name}", command=command).split())
        assert "'--output': " in message
        assert said.removeprefix("./") in message
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(("name", "page"), [("out.json", "out.html"), ("out", "out.html"), ("po.v1", "po.v1.html")])
def test_the_page_stands_beside_the_figures(name: str, page: str, runs: list[Path], tmp_path: Path) -> None:
    scored(runs[0], "--output", tmp_path / name)
    assert {each.name for each in tmp_path.iterdir()} == {name, page}
    assert json.loads((tmp_path / name).read_text())
    assert (tmp_path / page).read_text().startswith("<!doctype html>")


def test_figures_do_not_take_the_place_of_what_is_read(data: Path, tmp_path: Path) -> None:
    path = answered(data, tmp_path)
    before = path.read_bytes()
    assert f"{path} would be overwritten" in refused("--answers", path, "--data", data, "--output", path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["metrics.json", "report.json", "report", "manifest.json"])
def test_figures_do_not_take_the_place_of_a_run_s_own(name: str, runs: list[Path]) -> None:
    """report.html beside `report` is the run's page."""
    before = {path: path.read_bytes() for path in runs[0].rglob("*") if path.is_file()}
    for command, given in (("score", runs[:1]), ("compare", runs[:2]), ("seeds", runs)):
        said = refused(*given, "--output", runs[0] / name, command=command)
        assert "would be overwritten; name another file" in " ".join(said.split())
    assert {path: path.read_bytes() for path in runs[0].rglob("*") if path.is_file()} == before


def test_what_cannot_be_compared_or_put_together(runs: list[Path]) -> None:
    assert "two run folders, or one RUN and two of its models" in refused(runs[0], command="compare")
    assert "did you mean 'vanilla'" in refused(runs[0], "po", "vanila", command="compare")
    assert "po cannot be compared with itself" in refused(runs[0], "po", "po", command="compare")
    assert "at least two" in refused(runs[0], command="seeds")


def test_old_spellings_answer_with_the_new_ones() -> None:
    assert "safeeraser seeds runs/1 runs/2" in refused("--seeds", "runs/1", "runs/2")
    assert "safeeraser compare runs/demo po po+pd" in refused("runs/demo", "--compare", "po", "po+pd")
    assert "safeeraser compare runs/1 runs/2" in refused("--compare", "runs/1", "runs/2")


def test_verdicts_on_other_answers_are_refused(data: Path, tmp_path: Path) -> None:
    root = fake_runs.write(tmp_path / "run", data)
    answers, verdicts = root / "generations/po.jsonl", root / "verdicts/po.jsonl"
    first, *others = read_jsonl(answers, Generation)
    write_jsonl(answers, [dataclasses.replace(first, answer="Something else."), *others])
    from_run = refused(root)
    from_files = refused("--data", data, "--generations", answers, "--verdicts", verdicts)
    for said in (from_run, from_files):
        assert f"{verdicts}: {first.example_id}, sample 0, " in said
        assert "answer_hash: " in said
        assert "4 such verdicts" in said


def test_joining_looks_at_the_answer_too() -> None:
    about = dataclasses.replace(verdict("a"), answer_hash=answer_hash("an answer"))
    assert join([example("a")], [generation("a")], [about])
    with pytest.raises(ScoreError, match=r"answer_hash is that of another answer .*\('a', 0, 'unsafe'\)"):
        join([example("a")], [generation("a", answer="another")], [about])


def test_an_answer_file_is_judged_with_the_keys_of_the_judge(data: Path, tmp_path: Path) -> None:
    options = ["--answers", answered(data, tmp_path), "--data", data, "--judge", "endpoint"]
    with serving(lambda body: completion(reply(task(body)[0], task(body)[0] is Axis.REFUSAL))) as server:
        text = scored(*options, f"url={server.url}", "model=judge")
        assert server.bodies
    assert line(text, "SARR ↓")[2:4] == ["8", "100.0"]
    assert "judge.model: is needed" in refused(*options)
    assert "did you mean 'url'" in refused(*options, "urll=x", "model=judge")
    assert "leave out --judge and KEY=VALUE" in refused(*options, "--config", tmp_path / "run.yaml")

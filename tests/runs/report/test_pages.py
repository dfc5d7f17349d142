"""Pages of finished runs: several side by side, with what attacks made of them, and what is refused."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from safeeraser.records import ANSWER, CONTRAST, Generation, Likelihood, read_jsonl, write_jsonl
from tests.cli.test_cli import Ended, refused
from tests.runs.pipeline.world import World, contents


def data(page: Path) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page.read_text("utf-8"), re.DOTALL)
    assert found is not None
    content: dict[str, Any] = json.loads(found[1])
    return content


def copied(finished: World, folder: Path) -> Path:
    shutil.copytree(finished.folder / "run", folder)
    return folder


def answered_otherwise(run: Path, model: str) -> None:
    """Other answers of a model, of which the first verdicts are left as they are: the report judges them again."""
    file = run / "generations" / f"{model}.jsonl"
    write_jsonl(
        file,
        [
            Generation(example_id=each.example_id, sample=each.sample, answer="No.", finish="stop")
            for each in read_jsonl(file, Generation)
        ],
    )
    assert Ended("report", run).code == 0


@pytest.fixture(scope="module")
def attacked(finished: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = copied(finished, tmp_path_factory.mktemp("page") / "run")
    ended = Ended("attack", run, "--attack", "prefill=1", "--limit", 2)
    assert ended.code == 0, ended.err
    assert str(run / "report.html") in ended.err
    return run


def test_one_run_is_shown_elsewhere_and_stays_as_it_is(finished: World, tmp_path: Path) -> None:
    run = copied(finished, tmp_path / "run")
    before = contents(run)

    ended = Ended("report", run, "--judge", "rules", "--output", tmp_path / "page.html")

    assert ended.code == 0, ended.err
    assert contents(run) == before
    assert data(tmp_path / "page.html") == data(run / "report.html")


def test_several_runs_stand_side_by_side_and_stay_as_they_are(finished: World, tmp_path: Path) -> None:
    one, other = copied(finished, tmp_path / "one"), copied(finished, tmp_path / "other")
    answered_otherwise(other, "po")
    before = contents(one), contents(other)

    ended = Ended("report", one, other, "--output", tmp_path / "both.html")

    assert ended.code == 0, ended.err
    assert (contents(one), contents(other)) == before
    found = data(tmp_path / "both.html")
    names = [each["name"] for each in found["models"]]
    assert names == ["vanilla", "one/po", "one/po+pd", "other/po", "other/po+pd"]  # both vanillas said the same
    assert {each["model"] for each in found["metrics"]} == set(names)
    compared = {(each["model"], each["baseline"]) for each in found["differences"]}
    assert {("one/po", "vanilla"), ("other/po", "vanilla"), ("other/po", "one/po")} <= compared
    assert set(found["models"][3]["text"]) == {"No."}


def test_settings_of_a_training_are_those_of_its_column(finished: World) -> None:
    shown = {each["name"]: each["settings"] for each in data(finished.folder / "run" / "report.html")["models"]}

    assert "unlearn.steps" not in shown["vanilla"]
    assert shown["po"]["unlearn.steps"] == 2
    assert shown["vanilla"]["seed"] == shown["po"]["seed"]


def test_runs_on_other_data_are_not_put_together(finished: World, tmp_path: Path) -> None:
    one, other = copied(finished, tmp_path / "one"), copied(finished, tmp_path / "other")
    manifest = json.loads((other / "manifest.json").read_text())
    (other / "manifest.json").write_text(json.dumps({**manifest, "data": "0123"}))

    message = refused("report", one, other)

    assert f"{other}: made from other data" in message
    assert "hash 0123" in message


@pytest.mark.parametrize("options", [[], ["--output", "page.html"]], ids=["default", "named"])
def test_a_folder_that_is_no_run_is_named(finished: World, tmp_path: Path, options: list[str]) -> None:
    assert f"{tmp_path}: not a run's folder" in refused("report", finished.folder / "run", tmp_path, *options)


def test_a_folder_is_no_page(finished: World, tmp_path: Path) -> None:
    assert "name the page's file" in refused("report", finished.folder / "run", "--output", tmp_path)


def test_attacks_are_in_the_page_of_their_run(attacked: Path) -> None:
    found = data(attacked / "report.html")

    assert [each["name"] for each in found["models"] if each["attack"]] == [
        f"{model} · {attack}" for attack in ("no attack", "prefill 1") for model in ("vanilla", "po", "po+pd")
    ]
    cell = next(each for each in found["attacks"] if (each["attack"], each["model"]) == ("prefill", "po"))
    column = next(each for each in found["models"] if each["attack"] == ["prefill", "1", "po"])
    asked = [number for number in column["example"] if found["examples"]["part"][number] == "generality"]
    assert cell["figures"]["asr"]["n"] + cell["figures"]["asr"]["unscored"] == len(asked) == 2
    assert all(found["strings"][place] for place in column["prefill"])


def test_attacks_stay_in_a_page_that_is_made_again(attacked: Path) -> None:
    before = data(attacked / "report.html")["attacks"]

    assert Ended("report", attacked).code == 0

    assert data(attacked / "report.html")["attacks"] == before


def test_attacks_without_a_run_have_a_page(attacked: Path, tmp_path: Path) -> None:
    output = tmp_path / "attacks"
    ended = Ended("attack", attacked, "--attack", "prefill=1", "--limit", 2, "--output", output)

    assert ended.code == 0, ended.err
    found = data(output / "report.html")
    assert [each["name"] for each in found["models"] if not each["attack"]] == ["vanilla", "po", "po+pd"]
    assert {each["part"] for each in found["metrics"]} == {"generality", "decoupled", "retain"}


def test_measured_likelihoods_give_decision_margins(finished: World, tmp_path: Path) -> None:
    run = copied(finished, tmp_path / "run")
    asked = read_jsonl(run / "generations" / "po.jsonl", Generation)[0].example_id
    firsts = [(ANSWER, -3.0), (CONTRAST, -2.0), (CONTRAST, -0.5), (CONTRAST, None)]
    write_jsonl(
        run / "likelihood" / "po.jsonl",
        [
            Likelihood(example_id=asked, role=role, number=number, text="t", logprob=first, first=first, tokens=1)
            for number, (role, first) in enumerate(firsts)
        ],
    )

    assert Ended("report", run).code == 0

    found = data(run / "report.html")
    margins = {each["name"]: each["margins"] for each in found["models"]}
    assert margins == {"vanilla": [], "po": [[found["examples"]["id"].index(asked), 2.5]], "po+pd": []}


def test_figures_in_a_file_have_a_page_beside_them(finished: World, tmp_path: Path) -> None:
    run, model = finished.folder / "run", "po"
    files = ["--generations", run / "generations" / f"{model}.jsonl", "--verdicts", run / "verdicts" / f"{model}.jsonl"]
    words = ["score", "--data", finished.data, *files, "--name", model, "--output", tmp_path / "po.json"]

    assert Ended(*words).code == 0
    assert Ended("compare", run, "vanilla", model, "--output", tmp_path / "both.json").code == 0

    figures = json.loads((tmp_path / "po.json").read_text())
    alone = data(tmp_path / "po.html")
    assert [each["name"] for each in alone["models"]] == [model]
    assert {each["name"]: each["value"] for each in alone["metrics"] if each["group"] == "all"} == {
        each["name"]: each["value"] for each in figures if each["group"] == "all"
    }
    assert [each["name"] for each in data(tmp_path / "both.html")["models"]] == ["vanilla", "po", "po+pd"]


def test_runs_of_one_name_are_told_apart(finished: World, tmp_path: Path) -> None:
    one, other = (copied(finished, tmp_path / name / "run") for name in ("one", "other"))
    config = yaml.safe_load((other / "config.yaml").read_text())
    (other / "config.yaml").write_text(yaml.safe_dump(config | {"limits": dict.fromkeys(config["limits"])}))

    ended = Ended("report", one, other, "--output", tmp_path / "both.html")

    assert ended.code == 0, ended.err

    found = data(tmp_path / "both.html")
    assert all(f"{run} " in found["notes"][0] for run in (one, other))
    assert len({row[0] for row in found["costs"]["rows"]}) == len(found["costs"]["rows"])

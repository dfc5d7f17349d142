"""A run's models are asked about other data, too: figures of their own in a folder of their own."""

from __future__ import annotations

import json
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from safeeraser import runs as config
from safeeraser.benchmarks.settings import OtherData
from safeeraser.cli.names import names
from safeeraser.errors import UserError
from safeeraser.runs import ConfigError, pipeline, report
from safeeraser.runs.folder import RunFolder
from tests.benchmarks import sources
from tests.runs.pipeline import world as worlds
from tests.runs.pipeline.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return worlds.make(tmp_path)


def test_every_model_is_asked_about_the_other_data(world: World, tmp_path: Path) -> None:
    path = sources.WRITERS["vscbench"](tmp_path / "other")
    settings = world.settings("methods=[vanilla, po]", f"also=[{{benchmark: vscbench, path: {path}}}]")
    pipeline.run(settings, world.kit(settings), world.said.append)
    folder = pipeline.run_also(settings, settings.also[0], world.said.append)
    assert folder.root == settings.folder / "also" / "vscbench"
    metrics = json.loads(folder.metrics.read_text())
    assert {each["model"] for each in metrics} == {"vanilla", "po"}
    assert {each["part"] for each in metrics if each["n"]} == {"generality", "decoupled"}
    assert folder.provenance()["adapters"]["po"] == str(RunFolder(settings.folder).adapter("po"))
    before = worlds.contents(folder.root)
    pipeline.run_also(settings, settings.also[0], world.said.append)
    assert worlds.contents(folder.root) == before


def test_of_other_data_some_parts_may_be_asked(world: World, tmp_path: Path) -> None:
    path = sources.WRITERS["vscbench"](tmp_path / "other")
    settings = world.settings("methods=[vanilla]", f"also=[{{benchmark: vscbench, path: {path}, parts: decoupled}}]")
    pipeline.run(settings, world.kit(settings), world.said.append)
    folder = pipeline.run_also(settings, settings.also[0], world.said.append)
    assert {each["part"] for each in json.loads(folder.metrics.read_text()) if each["n"]} == {"decoupled"}
    more = world.settings("methods=[vanilla]", f"also=[{{benchmark: vscbench, path: {path}}}]")
    with pytest.raises(UserError, match="parts: this evaluation was made of decoupled, not generality, decoupled, ret"):
        pipeline.run(more, replace(world.kit(more), load=worlds.no_model), world.said.append)


def test_choices_made_before_there_were_parts_are_known_again() -> None:
    plain = {"benchmark": "icons_hard", "path": None, "scale": 1.0, "seed": 233}
    parsed = [
        config.parse(f"also: {given}", "test", [], names())
        for given in ("icons_hard", "[{benchmark: icons_hard, parts: [retain]}]")
    ]
    assert parsed[0].also[0].results() == plain
    assert parsed[1].also[0].results()["parts"] == ["retain"]
    again = config.parse(json.dumps(parsed[0].dump()), "test", [], names())
    assert again.also[0].results() == plain
    turned = config.parse("also: {benchmark: icons_hard, parts: [retain, decoupled, generality]}", "test", [], names())
    assert turned.also[0].results() == plain


def test_refusals_that_the_models_were_taught_count_on_the_other_data(world: World, tmp_path: Path) -> None:
    path = sources.WRITERS["vscbench"](tmp_path / "other")
    taught = "Let us talk about gardening."
    prompts = next(world.data.rglob("prompt.json"))
    prompts.write_text(json.dumps({"idk": [taught]}))
    settings = world.settings("methods=[vanilla, po]", f"also=[{{benchmark: vscbench, path: {path}}}]")
    pipeline.run(settings, world.kit(settings), world.said.append)
    folder = pipeline.run_also(settings, settings.also[0], world.said.append)
    answers = folder.generations("po")
    lines = [json.loads(line) for line in answers.read_text().splitlines()]
    answers.write_text("".join(json.dumps(line | {"answer": taught}) + "\n" for line in lines))

    def refused() -> set[float]:
        found = json.loads(folder.metrics.read_text())
        return {each["value"] for each in found if each["model"] == "po" and each["name"] == "rr" and each["n"]}

    pipeline.run_also(settings, settings.also[0], world.said.append)
    assert refused() == {1.0}
    pipeline.report_again(folder.settings(), world.kit(folder.settings()), folder, world.said.append)
    assert refused() == {1.0}


def test_other_data_change_nothing_in_what_the_run_is(world: World) -> None:
    assert world.settings("also=[icons_hard]").hash == world.settings().hash


def test_a_name_stands_for_data() -> None:
    settings = config.parse("also: icons_hard", "test", [], names())
    assert settings.also == (OtherData(benchmark="icons_hard"),)
    assert settings.also[0].folder == Path("data/icons_hard-x1-s233")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("[icons_hardd]", "icons_hard"),
        ("[icons]", "icons is asked about already"),
        ("[{benchmrk: x}]", "benchmark"),
        ("[{benchmark: icons_hard, parts: [efficacy]}]", r"also\.0\.parts: efficacy is about pictures"),
        ("[{benchmark: icons_hard, parts: []}]", r"also\.0\.parts: nothing is asked"),
    ],
)
def test_what_is_wrong_is_told(given: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        config.parse(f"also: {given}", "test", [], names())


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("vscbench", "also.0.path: the benchmark 'vscbench' needs a folder"),
        ("{benchmark: vscbench, path: /no/such}", "also.0.path: /no/such: no such folder"),
    ],
)
def test_other_data_that_cannot_be_read_stop_a_run_before_anything(world: World, given: str, told: str) -> None:
    settings = world.settings("methods=[vanilla, po]", f"also=[{given}]")
    with pytest.raises(UserError, match=told):
        pipeline.run(settings, replace(world.kit(settings), load=worlds.no_model), world.said.append)
    assert not settings.folder.exists()


def test_a_folder_of_other_content_stops_a_run_before_anything(world: World, tmp_path: Path) -> None:
    path = sources.WRITERS["vscbench"](tmp_path / "other")
    settings = world.settings("methods=[vanilla, po]", f"also=[{{benchmark: vscbench, path: {path}}}]")
    pipeline.run(settings, world.kit(settings), world.said.append)
    folder = pipeline.run_also(settings, settings.also[0], world.said.append)
    manifest = folder.provenance()
    folder.manifest.write_text(json.dumps(manifest | {"data": "other"}))
    with pytest.raises(UserError, match=r"also/vscbench/manifest\.json: data: this run was made from other content"):
        pipeline.run(settings, replace(world.kit(settings), load=worlds.no_model), world.said.append)
    folder.manifest.write_text(json.dumps(manifest | {"parts": ["retain"]}))
    with pytest.raises(UserError, match="parts: this evaluation was made of retain, not generality, decoupled, retain"):
        pipeline.run(settings, replace(world.kit(settings), load=worlds.no_model), world.said.append)
    folder.manifest.write_text(json.dumps(manifest))
    folder.config.write_text(folder.config.read_text().replace("seed: 233", "seed: 4", 1))
    with pytest.raises(UserError, match=r"also/vscbench/config\.yaml: seed: this run was made with 4, not 233"):
        pipeline.run(settings, replace(world.kit(settings), load=worlds.no_model), world.said.append)


def test_other_data_are_named_by_their_number(world: World, tmp_path: Path) -> None:
    path = sources.WRITERS["vscbench"](tmp_path / "other")
    settings = world.settings(f"also=[{{benchmark: vscbench, path: {path}}}, xstest]")
    with pytest.raises(UserError, match=r"^also\.1\.path: the benchmark 'xstest' needs a folder"):
        pipeline.run(settings, replace(world.kit(settings), load=worlds.no_model), world.said.append)


def test_figures_stand_by_subset(world: World) -> None:
    metrics = world.run("methods=[vanilla]")
    shown = StringIO()
    report.print_groups(metrics, ["vanilla"], Console(file=shown, width=80))
    text = shown.getvalue()
    assert "ASR ↓" in text
    assert "SARR ↓" in text
    assert {"seen", "unseen"} & {*text.split()} or " all " in text

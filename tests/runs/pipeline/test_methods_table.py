"""The run of docs/results.md: all methods by one command that goes on where it was stopped, and the table it makes."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from safeeraser import runs as config
from safeeraser.cli.names import names
from safeeraser.objectives import METHODS
from safeeraser.records import VANILLA, Metric
from safeeraser.runs import choice
from safeeraser.runs.kit import Kit
from safeeraser.runs.results import Reader
from tests.docs import results
from tests.docs.generate import ROOT
from tests.interruption import interrupted_at
from tests.runs.pipeline import world
from tests.runs.pipeline.world import World

CONFIG = ROOT / "configs" / "methods.yaml"
MODELS = (VANILLA, *METHODS)
ENDED = ("ga", "ga+pd", "gd", "gd+pd", "kl", "kl+pd")
"""Where the loss floor ends training; the small model is above it from the start."""
STOPPED = "npo"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> World:
    """The run on a small model and small data, stopped once on the way."""
    made = replace(world.make(tmp_path_factory.mktemp("methods")), config=CONFIG)
    overrides = [
        f"model={made.model}",
        f"output={made.folder / 'run'}",
        f"data={{benchmark: released, path: {made.data}}}",
        *("unlearn.steps=2", "unlearn.batch_size=1", "unlearn.lora_r=2", "unlearn.warmup_ratio=0"),
        f"methods_settings.{STOPPED}.steps=3",
        *(f"methods_settings.{name}.options.layer=1" for name in ("rmu", "rmu+pd")),  # of two layers
        *("generate.max_new_tokens=2", "limits={efficacy: 2, generality: 2, decoupled: 2, retain: 2}"),
    ]
    with interrupted_at(3):
        made.run(*overrides)
    made.run(*overrides)
    return made


def test_it_has_every_method_with_the_same_settings() -> None:
    settings = config.load(CONFIG, names=names())
    assert settings.methods == MODELS
    Kit.of(settings)  # options that a method cannot do without are set
    free = {"stop_forget_nll": None, "options": {}}
    shared = [settings.unlearning(name).model_copy(update=free) for name in METHODS]
    assert all(each == shared[0] for each in shared)


@pytest.mark.parametrize("base", [name for name in METHODS if not name.endswith("+pd")])
def test_prompt_decouple_is_all_that_differs(base: str) -> None:
    settings = config.load(CONFIG, names=names())
    assert settings.unlearning(f"{base}+pd") == settings.unlearning(base)


@pytest.mark.slow
def test_every_method_goes_from_training_to_report_and_is_trained_once(finished: World) -> None:
    before = list(METHODS)[: list(METHODS).index(STOPPED)]
    assert [line for line in finished.said if "trained before" in line] == [
        f"{each}: trained before" for each in before
    ]
    root = finished.folder / "run"
    steps = {name: json.loads((root / "models" / name / "manifest.json").read_text())["steps"] for name in METHODS}
    assert steps == dict.fromkeys(METHODS, 2) | dict.fromkeys(ENDED, 1) | {STOPPED: 3}
    metrics = json.loads((root / "metrics.json").read_text())
    for name in ("asr", "rr", "sarr", "retain_accuracy"):
        assert {each["model"] for each in metrics if each["name"] == name} == set(MODELS)


@pytest.mark.slow
def test_its_table_has_a_row_for_each_model(finished: World) -> None:
    root = finished.folder / "run"
    page = results.page([root])
    _, _, block = page.partition(results.begin("methods"))
    rows = [line.split(" | ") for line in block.splitlines() if line.startswith("| `")][: len(MODELS)]
    assert [row[0] for row in rows] == [f"| `{name}`" for name in MODELS]
    shown = dict.fromkeys(MODELS, "2") | dict.fromkeys(ENDED, "1, ended") | {VANILLA: "0", STOPPED: "3"}
    assert [row[1] for row in rows] == list(shown.values())
    assert all("%" in cell or "not scored" in cell for row in rows for cell in row[2:])
    manifest = json.loads((root / "manifest.json").read_text())
    assert "generality 2, decoupled 2, retain 2; seed 233; " in page
    assert f"weights {manifest['model_weights']}" in page
    assert page.startswith(results.PAGE.read_text(encoding="utf-8").partition(results.begin("methods"))[0])


def test_the_choice_that_comes_with_the_project_is_one_that_a_run_takes() -> None:
    """Whoever changes what a training depends on has to choose anew."""
    settings = config.load(ROOT / "configs" / "chosen.yaml", names=names())
    assert settings.chosen is not None
    assert {*settings.methods} == {VANILLA, *settings.chosen.hashes}
    choice.check(settings, settings.chosen.data, None)


def test_several_seeds_are_put_together_and_compared(tmp_path_factory: pytest.TempPathFactory) -> None:
    made = world.make(tmp_path_factory.mktemp("seeds"))
    asked = ("name=sweep", "methods=[vanilla,po,po+pd]", "limits={efficacy: 2, generality: 3, decoupled: 3, retain: 2}")
    roots = [made.folder / f"seed-{seed}" for seed in (1, 2)]
    for seed, root in enumerate(roots, start=1):
        made.run(*asked, f"seed={seed}", f"output={root}")
    tables = results.by_model(Reader().read(roots))
    assert {model: list(seeds) for model, seeds in tables.items()} == {
        name: [1, 2] for name in ("vanilla", "po", "po+pd")
    }
    page = results.page(roots)
    rows = [
        line.split(" | ") for line in page.partition(results.end("sweep"))[0].splitlines() if line.startswith("| `")
    ]
    assert [row[:2] for row in rows] == [
        ["| `vanilla`", "0, 2 seeds"],
        *([f"| `{name}`", "2, 2 seeds"] for name in ("po", "po+pd")),
        ["| `po`", "released"],  # against po+pd
    ]
    lines = results.against({"icons": tables}).splitlines()
    assert [line.split(" | ")[:3] for line in lines[2:]] == [["| `po`", "icons", "2"]]


def test_a_table_by_hand() -> None:
    nothing = Metric(
        model="gd+pd", name="sarr", part="decoupled", group="all", value=None, low=None, high=None, n=0, unscored=8
    )
    rate = replace(nothing, name="asr", part="generality", value=0.25, low=0.1, high=0.5, n=8, unscored=0)
    metrics = [rate, replace(rate, group="category=Weapon", value=1.0), nothing]
    assert results.methods_table(metrics, {"gd+pd": "12, ended"}).splitlines() == [
        "| method | steps | ASR, training pictures ↓ | ASR ↓ | RR ↑ | meaningless ↓ | SARR ↓ "
        "| answers kept ↑ | ROUGE-L, harmless pictures ↑ | right answers ↑ |",
        "| :--- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        "| `gd+pd` | 12, ended | not measured | 25.0% [10.0–50.0] | not measured | not measured "
        "| not scored (8 unscored) | not measured | not measured | not measured |",
    ]


def test_the_page_shows_methods_that_there_are_and_names_the_others() -> None:
    shown = re.findall(r"^\| `(\S+)` \|", results.block("methods"), re.MULTILINE)
    assert shown == [name for name in MODELS if name in shown]
    page = results.PAGE.read_text(encoding="utf-8")
    assert all(f"`{name}`" in page for name in MODELS)

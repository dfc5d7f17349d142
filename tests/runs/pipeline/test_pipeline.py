"""A run: complete, repeatable, resumable, and never over another run's files."""

from __future__ import annotations

import gc
import json
import shutil
import weakref
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from peft import PeftModel
from PIL import Image

from safeeraser.errors import UserError
from safeeraser.generation.record_file import read_meta
from safeeraser.models.load import LoadedModel, load
from safeeraser.records import Generation, read_jsonl
from safeeraser.runs import attacks, pipeline
from safeeraser.runs.folder import RunFolder
from safeeraser.runs.kit import Load
from tests.benchmarks import sources
from tests.runs.pipeline import world
from tests.runs.pipeline.world import World, contents, no_model

METHODS = ["vanilla", "po", "po+pd"]


def test_a_run_leaves_the_files_of_the_contract(finished: World) -> None:
    folder = RunFolder(finished.folder / "run")
    files = set(contents(folder.root))
    assert {"config.yaml", "manifest.json", "metrics.json", "report.md", "report.json", "plot.png"} <= files
    for method in METHODS:
        assert {f"generations/{method}.jsonl", f"verdicts/{method}.jsonl"} <= files
        assert (f"models/{method}/adapter/adapter_model.safetensors" in files) == (method != "vanilla")


def test_every_method_answers_the_same_questions(finished: World) -> None:
    folder = RunFolder(finished.folder / "run")
    asked = [{each.example_id for each in read_jsonl(folder.generations(name), Generation)} for name in METHODS]
    assert asked[0] == asked[1] == asked[2]
    assert len(asked[0]) == 16


def test_the_manifest_says_where_the_results_come_from(finished: World) -> None:
    manifest = RunFolder(finished.folder / "run").provenance()
    settings = finished.settings()
    assert manifest["settings"] == settings.dump()
    assert manifest["settings_hash"] == settings.hash
    assert manifest["data"] == finished.kit().read(finished.data).hash
    assert manifest["versions"]["torch"]
    assert manifest["model_weights"].startswith("sha256 ")


def test_an_adapter_is_what_peft_loads(finished: World) -> None:
    model = load(str(finished.model)).model
    assert isinstance(PeftModel.from_pretrained(model, str(finished.folder / "run/models/po/adapter")), PeftModel)


def test_a_second_run_reuses_everything_and_returns_the_same(finished: World) -> None:
    before = contents(finished.folder / "run")
    kit = replace(finished.kit(), load=no_model)
    metrics = pipeline.run(finished.settings(), kit, finished.said.append)
    assert [asdict(metric) for metric in metrics] == json.loads(before["metrics.json"])
    assert contents(finished.folder / "run") == before
    assert {metric.model for metric in metrics} == set(METHODS)


def test_a_report_can_be_made_again_without_the_model(finished: World, tmp_path: Path) -> None:
    copy = shutil.copytree(finished.folder / "run", tmp_path / "run")
    for name in ("report.md", "report.json", "plot.png", "metrics.json", "verdicts"):
        shutil.rmtree(copy / name) if (copy / name).is_dir() else (copy / name).unlink()
    kit = replace(finished.kit(), load=no_model)
    for _ in range(2):
        pipeline.report_again(finished.settings(), kit, RunFolder(copy), finished.said.append)
        shutil.copy(finished.folder / "run" / "costs.json", copy)  # judging again took its time again
    assert contents(copy) == contents(finished.folder / "run")


def stopping_at(call: int, kit_load: Load) -> Load:
    """A loader that is interrupted the `call`th time it is asked."""
    calls = 0

    def load_or_stop(adapter: Path | None, dtype: str = "auto") -> LoadedModel:
        nonlocal calls
        calls += 1
        if calls == call:
            raise KeyboardInterrupt
        return kit_load(adapter, dtype)

    return load_or_stop


@pytest.mark.parametrize("call", [1, 2, 3])
def test_an_interrupted_run_ends_as_an_uninterrupted_one(finished: World, tmp_path: Path, call: int) -> None:
    settings = finished.settings(f"output={tmp_path / 'run'}")
    kit = finished.kit(settings)
    with pytest.raises(KeyboardInterrupt):
        pipeline.run(settings, replace(kit, load=stopping_at(call, kit.load)), finished.said.append)
    answers = RunFolder(settings.folder).generations("vanilla")
    if answers.exists():  # as if the process had been killed in the middle of a line
        answers.write_bytes(answers.read_bytes()[:-20])
    pipeline.run(settings, kit, finished.said.append)
    for name in ("generations", "verdicts", "metrics.json"):
        assert_same(settings.folder / name, finished.folder / "run" / name)
    for name in ("po", "po+pd"):
        ours, theirs = (root / "models" / name / "adapter" for root in (settings.folder, finished.folder / "run"))
        assert_same(ours / "adapter_model.safetensors", theirs / "adapter_model.safetensors")


@pytest.mark.parametrize("precisions", [("float32", "bfloat16"), ("bfloat16", "float32")])
def test_a_run_that_goes_on_elsewhere_keeps_its_precision(
    fresh: World, tmp_path: Path, precisions: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, elsewhere = precisions
    data = f"also=[{{benchmark: vscbench, path: {sources.WRITERS['vscbench'](tmp_path / 'other')}}}]"
    settings = fresh.settings("methods=[vanilla, po]", "attacks=[{name: quantise, sweep: [4]}]", "attack_limit=2", data)
    folder, kit = RunFolder(settings.folder), fresh.kit(settings)
    monkeypatch.setattr("safeeraser.models.load.native_bfloat16", lambda _: here == "bfloat16")
    with pytest.raises(KeyboardInterrupt):
        pipeline.run(settings, replace(kit, load=stopping_at(2, kit.load)), fresh.said.append)
    monkeypatch.setattr("safeeraser.models.load.native_bfloat16", lambda _: elsewhere == "bfloat16")
    pipeline.run(settings, kit, fresh.said.append)
    other = pipeline.run_also(settings, settings.also[0], fresh.said.append)
    chosen = attacks.choose_attacks(settings.attacks)
    attacks.run(attacks.of_run(settings, kit, folder, chosen, settings.methods), fresh.said.append)
    assert folder.model_dtype == other.model_dtype == here
    answers = [*folder.root.rglob("generations/*.jsonl")]
    assert len(answers) == 2 + 2 + 4
    assert {read_meta(each)["dtype"] for each in answers} == {f"torch.{here}"}


def assert_same(ours: Path, theirs: Path) -> None:
    if ours.is_dir():
        assert {name: sorted(each.splitlines()) for name, each in contents(ours).items()} == {
            name: sorted(each.splitlines()) for name, each in contents(theirs).items()
        }
    else:
        assert ours.read_bytes() == theirs.read_bytes()


def test_there_is_never_a_second_model_in_memory(fresh: World) -> None:
    kit = fresh.kit()
    models: list[weakref.ref[object]] = []

    def watched(adapter: Path | None, dtype: str = "auto") -> LoadedModel:
        gc.collect()
        assert not [model for model in models if model() is not None]
        loaded = kit.load(adapter, dtype)
        models.append(weakref.ref(loaded.model))
        return loaded

    pipeline.run(fresh.settings(), replace(kit, load=watched), fresh.said.append)
    assert len(models) == 3  # before unlearning, for training and vanilla's answers; then one for each adapter


@pytest.mark.parametrize(
    ("override", "key"),
    [
        ("seed=1", "seed: this run was made with 233, not 1"),
        ("unlearn.steps=3", "unlearn.steps: this run was made with 2, not 3"),
        ("methods=[vanilla]", "methods: this run was made with ['vanilla', 'po', 'po+pd'], not ['vanilla']"),
        ("methods_settings.po.steps=1", "methods_settings.po.steps: this run was made with None, not 1"),
    ],
)
def test_a_run_folder_of_other_settings_is_not_touched(finished: World, override: str, key: str) -> None:
    before = contents(finished.folder)
    with pytest.raises(UserError, match="nothing was changed") as caught:
        finished.run(override)
    assert f"run/config.yaml: {key}" in str(caught.value)
    assert contents(finished.folder) == before


def test_a_run_folder_may_be_moved_and_renamed(finished: World, tmp_path: Path) -> None:
    moved = shutil.copytree(finished.folder / "run", tmp_path / "elsewhere")
    before = contents(moved)
    settings = finished.settings(f"output={moved}", "name=other")
    pipeline.run(settings, replace(finished.kit(settings), load=no_model), finished.said.append)
    assert contents(moved) == before


def test_a_folder_that_is_not_a_run_s_is_not_touched(fresh: World) -> None:
    (fresh.folder / "run").mkdir()
    mine = [".env.template", "thesis.tex"]  # the first is named as what a kill leaves of a file
    for name in mine:
        (fresh.folder / "run" / name).write_text("precious")
    with pytest.raises(UserError, match="not a run's folder"):
        fresh.run()
    assert list(contents(fresh.folder / "run")) == mine


def test_data_that_changed_since_is_noticed(finished: World, tmp_path: Path) -> None:
    data = shutil.copytree(finished.data, tmp_path / "data")
    run = shutil.copytree(finished.folder / "run", tmp_path / "run")
    config = run / "config.yaml"
    config.write_text(config.read_text().replace(str(finished.data), str(data)))
    settings = finished.settings(f"output={run}", f"data.path={data}")
    Image.new("RGB", (64, 64)).save(next(data.glob("img/*/train0.png")))
    before = contents(run)
    with pytest.raises(UserError, match=r"manifest\.json: data: this run was made from other content"):
        pipeline.run(settings, finished.kit(settings), finished.said.append)
    assert contents(run) == before


def test_a_model_that_changed_since_is_noticed(fresh: World) -> None:
    settings = fresh.settings()
    kit = fresh.kit()
    with pytest.raises(KeyboardInterrupt):
        pipeline.run(settings, replace(kit, load=stopping_at(2, kit.load)), fresh.said.append)
    shutil.rmtree(fresh.model)
    world.write_model(fresh.model, seed=1)
    with pytest.raises(UserError, match=r"manifest\.json: model_weights: this run was made with sha256"):
        fresh.run()


@pytest.mark.parametrize("name", ["config.yaml", "manifest.json"])
@pytest.mark.parametrize("content", ["[1, 2", "[1, 2]"])
def test_damaged_run_files_are_named(finished: World, tmp_path: Path, name: str, content: str) -> None:
    run = shutil.copytree(finished.folder / "run", tmp_path / "run")
    (run / name).write_text(content)
    with pytest.raises(UserError, match=name):
        finished.run(f"output={run}")


def test_a_part_without_examples_is_said_and_not_measured(fresh: World) -> None:
    (fresh.data / "dataset" / "all_val.json").unlink()
    metrics = fresh.run("methods=[vanilla]")
    assert [line for line in fresh.said if "no examples for generality, which is not measured" in line]
    assert {metric.value for metric in metrics if metric.part == "generality"} == {None}
    assert {metric.n for metric in metrics if metric.part == "efficacy" and metric.group == "all"} == {4}


def test_an_embedded_benchmark_is_built_once(fresh: World) -> None:
    built: list[Path] = []
    kit = replace(fresh.kit(), build=lambda data: built.append(world.write_data(data.folder)))
    settings = fresh.settings(f"data.path={fresh.folder / 'new'}", "methods=[vanilla]")
    for _ in range(2):
        pipeline.run(settings, kit, fresh.said.append)
    assert built == [fresh.folder / "new"]

"""The attacks on a run's models, from the command line: records, table, page, resume."""

from __future__ import annotations

import dataclasses
import json
import shutil
import signal
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

import safeeraser
from safeeraser import runs as config
from safeeraser.attacks import prefill
from safeeraser.attacks.base import Attack, Target
from safeeraser.attacks.table import ATTACKS
from safeeraser.cli import app
from safeeraser.cli.names import names
from safeeraser.errors import UserError
from safeeraser.generation.run import generate
from safeeraser.generation.settings import GenerateSettings
from safeeraser.judges import Judge, one_by_one, rules_judge
from safeeraser.models.load import load
from safeeraser.records import Axis, Example, Generation, Metric, Split, Stream, read_jsonl, write_jsonl
from safeeraser.runs import attacks, pipeline
from safeeraser.runs.attack_run import AttackRun, Chosen, Subject
from safeeraser.runs.attacks import choose_attacks
from safeeraser.runs.kit import Kit
from tests.benchmarks import small
from tests.docs.generate import ROOT
from tests.durability.killing import files, run_until_size
from tests.endpoint.fake_server import Answer, completion, last_text, serving
from tests.runs.pipeline.world import World, no_model, untimed, write_model

CHEAP = ("--attack", "prefill=1", "--attack", "rotation=90", "--attack", "quantise=4")


def command(world: World, output: Path, *options: str) -> list[str]:
    return ["attack", str(world.folder / "run"), "--output", str(output), "--limit", "4", *options]


@pytest.fixture(scope="module")
def attacked(finished: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("attacked") / "attacks"
    result = CliRunner().invoke(app, command(finished, output, *CHEAP, "--attack", "relearn-text"))
    assert result.exit_code == 0, result.output
    assert "not run: relearn-text" in " ".join(result.output.split())
    return output


def content(output: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((output / "attacks.json").read_text())
    return found


def test_every_variant_of_every_model_has_its_figures(attacked: Path) -> None:
    found = content(attacked)["outcomes"]
    wanted = [("none", "none"), ("prefill", "1"), ("rotation", "90"), ("quantise", "4")]
    models = ("vanilla", "po", "po+pd")
    assert [(each["attack"], each["variant"], each["model"]) for each in found] == [
        (*variant, model) for variant in wanted for model in models
    ]
    for each in found:
        for metric in each["metrics"]:
            assert metric["n"] + metric["unscored"] > 0
            assert Metric(**metric).low is not None
        assert {change["baseline"] for change in each["differences"]} <= {"none"}


def test_what_cannot_be_run_is_listed_as_not_run_and_has_no_figures(attacked: Path) -> None:
    found = content(attacked)
    assert {each["model"] for each in found["not_run"]} == {"vanilla", "po", "po+pd"}
    assert not [each for each in found["outcomes"] if each["attack"] == "relearn-text"]
    assert "## Not run" in (attacked / "attacks.md").read_text()


def test_a_point_that_no_question_is_fit_for_is_not_run_and_the_others_are(
    finished: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = prefill.first_tokens
    monkeypatch.setattr(
        prefill,
        "first_tokens",
        lambda chat, example, count: None if count == 20 else tokens(chat, example, count),  # all answers are short
    )
    for _ in range(2):
        result = CliRunner().invoke(app, command(finished, tmp_path / "attacks", "--attack", "prefill=1,20"))
        assert result.exit_code == 0, result.output
        found = content(tmp_path / "attacks")
        assert {(each["attack"], *each["points"]) for each in found["not_run"]} == {("prefill", "20")}
        assert {(each["attack"], each["variant"]) for each in found["outcomes"]} == {("none", "none"), ("prefill", "1")}


def test_no_attack_gives_the_bytes_that_generation_gives(attacked: Path, finished: World, tmp_path: Path) -> None:
    examples = read_jsonl(attacked / "none/none/examples/po.jsonl", Example)
    settings = GenerateSettings(max_new_tokens=4, batch_size=8)
    adapter = finished.folder / "run/models/po/adapter"
    generate(load(str(finished.model), adapter=adapter), examples, settings, tmp_path / "po.jsonl")
    assert (tmp_path / "po.jsonl").read_bytes() == (attacked / "none/none/generations/po.jsonl").read_bytes()


def test_what_the_run_has_answered_is_not_asked_again(finished: World, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished.folder / "run", run)
    answers = run / "generations/po.jsonl"
    told = [dataclasses.replace(each, answer=f"kept {each.example_id}") for each in read_jsonl(answers, Generation)]
    write_jsonl(answers, told)
    options = ["--limit", "4", "--attack", "grey=1", "--output", str(tmp_path / "out")]
    result = CliRunner().invoke(app, ["attack", str(run), *options])
    assert result.exit_code == 0, result.output
    before = read_jsonl(tmp_path / "out/none/none/generations/po.jsonl", Generation)
    assert before
    assert all(each.answer == f"kept {each.example_id}" for each in before)
    after = read_jsonl(tmp_path / "out/grey/1/generations/po.jsonl", Generation)
    assert not any(each.answer.startswith("kept") for each in after)


def test_what_is_read_in_the_model_has_figures_and_is_not_read_twice(finished: World, tmp_path: Path) -> None:
    wanted = ["--attack", "once-begun=0,1", "--attack", "linear-probe=0,1", "--attack", "quantise=nf4"]
    for _ in range(2):
        result = CliRunner().invoke(app, command(finished, tmp_path / "read", *wanted))
        assert result.exit_code == 0, result.output
    found = content(tmp_path / "read")
    begun = [each for each in found["outcomes"] if each["attack"] == "once-begun" and each["model"] == "po"]
    assert [each["variant"] for each in begun] == ["0", "1"]
    assert [metric["name"] for metric in begun[0]["metrics"]] == ["begun_harmful", "begun_harmless"]
    assert all(0 <= metric["value"] <= 1 and metric["n"] for each in begun for metric in each["metrics"])
    points = [each for each in found["curves"] if each["attack"] == "once-begun" and each["model"] == "po"]
    assert {each["budget"] for each in points} == {0, 1}
    probes = [each for each in found["outcomes"] if each["attack"] == "linear-probe"]
    assert all(
        [metric["name"] for metric in each["metrics"]] == ["probe", "probe_control", "selectivity"] for each in probes
    )
    if not torch.cuda.is_available():
        assert {each["attack"] for each in found["not_run"]} == {"quantise"}
        assert "GPU" in found["not_run"][0]["reason"]


def test_curves_are_drawn_where_an_attack_has_several_budgets(finished: World, tmp_path: Path) -> None:
    for name, wanted in (("one", "prefill=1"), ("several", "prefill=1,3")):
        result = CliRunner().invoke(app, command(finished, tmp_path / name, "--attack", wanted))
        assert result.exit_code == 0, result.output
    assert not (tmp_path / "one/curves.png").exists()
    with Image.open(tmp_path / "several/curves.png") as picture:
        assert min(picture.size) > 100
    assert "curves.png" in (tmp_path / "several/attacks.md").read_text()


def test_what_an_attack_trains_is_written_only_where_asked(finished: World, tmp_path: Path) -> None:
    wanted = ["--attack", "soft-prompt=5", "--attack", "universal-perturbation=5", "--attack", "grey=1"]
    for number, options in enumerate(([], ["--keep", str(tmp_path / "kept")])):
        result = CliRunner().invoke(app, command(finished, tmp_path / str(number), *wanted, *options))
        assert result.exit_code == 0, result.output
    assert not list(tmp_path.glob("[01]/**/*.safetensors"))
    models, names = ("vanilla", "po", "po+pd"), ("soft-prompt", "universal-perturbation")
    kept = {path.name for path in (tmp_path / "kept").iterdir()}
    assert kept == {f"{name}-5-{model}.safetensors" for name in names for model in models}
    late = CliRunner().invoke(app, command(finished, tmp_path / "0", *wanted, "--keep", str(tmp_path / "late")))
    assert "po: soft-prompt (5): done before; only what is trained now is kept" in " ".join(late.output.split())


def test_attacked_weights_are_nowhere(attacked: Path) -> None:
    assert not list(attacked.rglob("*.safetensors"))


def test_a_second_run_loads_no_model_and_changes_nothing(
    attacked: Path, finished: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_model(*_: Any, **__: Any) -> None:
        raise AssertionError("no model is needed here")

    monkeypatch.setattr("safeeraser.models.load.load", no_model)
    before = files(attacked)
    result = CliRunner().invoke(app, command(finished, attacked, *CHEAP, "--attack", "relearn-text"))
    assert result.exit_code == 0, result.output
    assert files(attacked) == before


def test_another_limit_wants_another_folder(attacked: Path, finished: World) -> None:
    result = CliRunner().invoke(app, [*command(finished, attacked, *CHEAP)[:-7], "3", *CHEAP])
    assert result.exit_code == 2
    assert "limit" in result.output


def test_answers_are_not_judged_again_when_attacks_and_data_were_moved(finished: World, tmp_path: Path) -> None:
    """A judge that is shown pictures would even find none."""
    data, there, moved = (tmp_path / name for name in ("data", "there", "moved"))
    shutil.copytree(finished.data, data)
    loaded = load(str(finished.model))

    def attack(output: Path) -> None:
        benchmark = safeeraser.read_benchmark(data, format="released")
        wanted = [{"name": "grey", "sweep": [1]}, "pass@k"]
        safeeraser.attack(loaded, benchmark, attacks=wanted, limit=1, output=output, max_new_tokens=4)

    attack(there)
    judged = {path.relative_to(there): path.read_bytes() for path in there.rglob("verdicts/*.jsonl")}
    there.rename(moved)
    data = data.rename(tmp_path / "other data")
    attack(moved)
    assert len(judged) == 3
    assert {path.relative_to(moved): path.read_bytes() for path in moved.rglob("verdicts/*.jsonl")} == judged


def test_another_adapter_to_merge_with_wants_another_folder(finished: World, tmp_path: Path) -> None:
    """The run's first other adapter is another one where models are named in another order."""
    adapters = {name: finished.folder / "run" / "models" / name / "adapter" for name in ("po", "po+pd")}
    shutil.copytree(adapters["po"], tmp_path / "third")
    benchmark, wanted = safeeraser.read_benchmark(finished.data, format="released"), ATTACKS["adapter-merge"]
    known = Subject(
        Target(name="po", adapter=adapters["po"]), partial(load, str(finished.model), adapter=adapters["po"])
    )

    def attack(others: dict[str, Path]) -> None:
        settings = finished.settings()
        subject = replace(known, target=replace(known.target, others=others))
        run = AttackRun(
            benchmark=benchmark,
            subjects=[subject],
            chosen=[Chosen(wanted, ("1",))],
            judge=rules_judge(benchmark.refusals),
            settings=settings.generate,
            limit=1,
            seed=0,
            output=tmp_path / "out",
        )
        attacks.run(run, finished.said.append)

    attack({"po+pd": adapters["po+pd"]})
    attack({"po+pd": adapters["po+pd"], "third": tmp_path / "third"})
    with pytest.raises(UserError, match="adapter-merge of po: these attacks were made with"):
        attack({"third": tmp_path / "third", "po+pd": adapters["po+pd"]})


def test_a_judge_that_has_nothing_to_say_gives_no_figures(finished: World, tmp_path: Path) -> None:
    """One that judges harm only, and no harmful question is measured."""
    whole = safeeraser.read_benchmark(finished.data, format="released")
    harmless = [each for each in whole.examples if (each.split, each.stream) != (Split.VALIDATION, Stream.FORGET)]
    run = AttackRun(
        benchmark=replace(whole, examples=tuple(harmless)),
        subjects=[Subject(Target(name="model"), partial(load, str(finished.model)))],
        chosen=[Chosen(ATTACKS["grey"], ("1",))],
        judge=Judge("harm@1", one_by_one(lambda *_: []), axes=frozenset({Axis.UNSAFE})),
        settings=finished.settings().generate,
        limit=1,
        seed=0,
        output=tmp_path / "out",
    )
    found, skipped = attacks.run(run, finished.said.append)
    assert not skipped
    assert all(metric.value is None for each in found for metric in each.metrics)


def test_another_model_on_the_server_wants_another_folder(finished: World, tmp_path: Path) -> None:
    """All of the first one's answers are there, so that nothing would be asked."""
    options = ["--data", str(finished.data), "--limit", "2", "--attack", "templates=role-play"]
    with serving(lambda body: completion(last_text(body)[::-1])) as server:
        words = ["attack", "--server", server.url, *options, "--output", str(tmp_path / "served"), "--model"]
        assert CliRunner().invoke(app, [*words, "one"]).exit_code == 0
        before = files(tmp_path / "served")
        result = CliRunner().invoke(app, [*words, "another"])
        assert result.exit_code == 2
        assert "served: made with model = 'one', not 'another'" in " ".join(result.output.split())
        assert files(tmp_path / "served") == before
        assert CliRunner().invoke(app, [*words, "one"]).exit_code == 0


def test_another_model_of_the_same_name_wants_another_folder(finished: World, tmp_path: Path) -> None:
    benchmark = safeeraser.read_benchmark(finished.data, format="released")
    other = write_model(tmp_path / "other", seed=1)

    def attack(model: Path) -> None:
        options = {"attacks": ["grey"], "limit": 1, "output": tmp_path / "out", "max_new_tokens": 4}
        safeeraser.attack(load(str(model)), benchmark, **options)

    attack(finished.model)
    shutil.copytree(finished.model, tmp_path / "copy")
    attack(tmp_path / "copy")
    with pytest.raises(UserError, match=r"model: made with weights = .* \(the model's files have changed\)"):
        attack(other)


@pytest.mark.parametrize("content", ["{", "[]", "{}"])
def test_a_damaged_manifest_is_named(finished: World, tmp_path: Path, content: str) -> None:
    (tmp_path / "manifest.json").write_text(content)
    result = CliRunner().invoke(app, command(finished, tmp_path, "--attack", "prefill=1"))
    assert result.exit_code == 2
    assert "manifest.json: not a manifest of attacks" in " ".join(result.output.split())


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--attack", "prefil"], "did you mean 'prefill'"),
        (["--attack", "prefill=2"], "point of the sweep"),
        (["max_new_tokens=4"], "one RUN, which has its settings: leave KEY=VALUE out"),
        (["--data", "somewhere"], "--data: the run"),
        (["--format", "released"], "--format: the run"),
        (["--model", "tiny"], "--model: the run"),
        (["--adapter", "somewhere"], "--adapter: the run"),
        (["--dtype", "float32"], "--dtype: the run"),
        (["--seed", "1"], "--seed: the run"),
        (["--judge", "rules"], "--judge: the run"),
        (["--server", "http://127.0.0.1:9/v1"], "--server: the run"),
        (["--quick", "--attack", "prefill"], "--attack: --quick has its own attacks"),
        (["--attack", "prefill", "--keep", "kept"], "none of these attacks trains"),
        (["--control", "no/such"], "--control no/such: no such folder"),
    ],
)
def test_wrong_options_are_told_before_anything_starts(
    finished: World, tmp_path: Path, options: list[str], told: str
) -> None:
    result = CliRunner().invoke(app, command(finished, tmp_path / "new", *options))
    assert result.exit_code == 2
    assert told in " ".join(result.output.split())
    assert not (tmp_path / "new").exists()


def test_two_controls_of_one_name_are_refused(finished: World, tmp_path: Path) -> None:
    twice = ["--control", str(finished.model)] * 2
    result = CliRunner().invoke(app, command(finished, tmp_path / "new", "--attack", "grey=1", *twice))
    assert result.exit_code == 2
    assert "a second model of the name model" in " ".join(result.output.split())


@pytest.mark.parametrize("option", ["--adapter", "--dtype"])
def test_a_server_has_its_own_weights(finished: World, tmp_path: Path, option: str) -> None:
    words = ["attack", "--server", "http://127.0.0.1:9/v1", "--model", "m", "--data", str(finished.data)]
    result = CliRunner().invoke(app, [*words, "--output", str(tmp_path / "new"), option, "float32"])
    assert result.exit_code == 2
    assert f"{option}: --server has loaded its own weights" in " ".join(result.output.split())
    assert not (tmp_path / "new").exists()


def test_killed_in_the_middle_of_a_write_it_goes_on_to_the_same_files(finished: World, tmp_path: Path) -> None:
    def asked(output: Path) -> list[str]:
        return command(finished, output, "--attack", "prefill=1", "--attack", "rotation=90")

    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert run_until_size(asked(whole)) == 0
    size = (whole / "rotation/90/generations/po.jsonl").stat().st_size
    for largest in (100, size // 2):
        assert run_until_size(asked(killed), largest) == -signal.SIGXFSZ
    assert run_until_size(asked(killed)) == 0
    assert read_jsonl(killed / "rotation/90/generations/po.jsonl", Generation)
    found = untimed(files(killed))
    moved = {name: each.replace(str(killed).encode(), str(whole).encode()) for name, each in found.items()}
    assert moved == untimed(files(whole))


def test_from_python_a_model_is_attacked_without_a_folder(finished: World) -> None:
    benchmark = safeeraser.read_benchmark(finished.data, format="released")
    found = safeeraser.attack(load(str(finished.model)), benchmark, attacks=["grey"], limit=2, max_new_tokens=4)
    assert [(each.attack, each.variant) for each in found] == [("none", "none"), ("grey", "0.5"), ("grey", "1")]
    assert all(each.model == "model" and each.metrics for each in found)


def test_the_configuration_of_docs_durability_runs_every_attack_on_models_that_can_be_trained() -> None:
    settings = config.load(ROOT / "configs" / "durability.yaml", names=names())
    Kit.of(settings)
    assert [each.attack.name for each in choose_attacks(settings.attacks)] == list(ATTACKS)


def test_parts_that_overlap_stop_a_run_with_attacks_before_anything(fresh: World) -> None:
    """What is asked about another thing shows a picture that was trained on."""
    settings = fresh.settings("attacks=[grey]")
    kit = fresh.kit(settings)
    benchmark = kit.read(fresh.data)
    trained, measured = (
        next(each for each in benchmark.examples if each.split is part and each.stream is Stream.FORGET)
        for part in (Split.TRAIN, Split.VALIDATION)
    )
    examples = (
        *(each for each in benchmark.examples if each.split is Split.TRAIN),
        replace(measured, id="a", split=Split.SELECTION, keyword="attacker's"),
        replace(measured, id="m", image=trained.image, keyword="measured"),
    )
    overlapping = replace(kit, read=lambda _: replace(benchmark, examples=examples), load=no_model)
    with pytest.raises(UserError, match=r"attacks: .*the unlearned and the measured part share 1 pictures"):
        pipeline.run(fresh.settings("attacks=[grey]", "methods=[po]"), overlapping, fresh.said.append)
    assert not settings.folder.exists()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("nope", "attacks.0.name: unknown attack 'nope'"),
        ("{name: prefill, sweep: [99]}", "prefill: unknown point of the sweep '99'"),
        ("{name: prefill, keep: kept}", "prefill: keep: this attack trains nothing"),
    ],
)
def test_attacks_that_do_not_exist_are_told_though_settings_are_only_printed(
    fresh: World, given: str, told: str
) -> None:
    result = CliRunner().invoke(app, ["run", str(fresh.config), f"attacks=[{given}]", "--print-config"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert told in result.stderr


def test_only_models_of_the_run_can_be_attacked() -> None:
    with pytest.raises(UserError, match="did you mean 'po'"):
        config.parse("methods: [vanilla, po]\nattack_models: [poo]", "run.yaml", [], names())


def test_on_a_server_only_questions_and_pictures_are_attacked(finished: World, tmp_path: Path) -> None:
    with serving(lambda body: completion(last_text(body)[::-1])) as server:
        options = ["--server", server.url, "--model", "judge", "--data", str(finished.data), "--limit", "2"]
        wanted = ["--attack", "templates=role-play", "--attack", "prefill=1", "--attack", "quantise=4"]
        result = CliRunner().invoke(app, ["attack", *options, *wanted, "--output", str(tmp_path / "served")])
    assert result.exit_code == 0, result.output
    found = content(tmp_path / "served")
    assert {each["attack"] for each in found["outcomes"]} == {"none", "templates"}
    assert {each["attack"] for each in found["not_run"]} == {"prefill", "quantise"}


def test_answers_that_a_server_does_not_give_are_unscored_and_stop_no_attack(finished: World, tmp_path: Path) -> None:
    output, filtered = tmp_path / "served", list[str]()
    filters = True

    def answer(body: dict[str, Any]) -> Answer:
        text = last_text(body)
        if not filtered:
            filtered.append(text)  # the first question, whenever it is asked
        refused = filters and text == filtered[0]
        return completion(None, finish="content_filter") if refused else completion("Use it like so.")

    with serving(answer) as server:
        options = ["--server", server.url, "--model", "judge", "--data", str(finished.data), "--limit", "2"]
        words = ["attack", *options, "--attack", "templates=role-play", "--output", str(output)]
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 3
        assert "answers are missing; the same command asks again" in " ".join(result.output.split())
        found = content(output)["outcomes"]
        assert {each["attack"] for each in found} == {"none", "templates"}
        assert any(metric["unscored"] for metric in found[0]["metrics"])
        assert (output / "report.html").exists()
        filters = False
        assert CliRunner().invoke(app, words).exit_code == 0
    assert not any(metric["unscored"] for each in content(output)["outcomes"] for metric in each["metrics"])


def test_the_table_has_what_was_attacked_before_too(finished: World, tmp_path: Path) -> None:
    for wanted in (["prefill=1"], ["quantise=4", "--attack", "quantise=4"], ["prefill=3"]):
        result = CliRunner().invoke(app, command(finished, tmp_path / "out", "--attack", *wanted))
        assert result.exit_code == 0, result.output
    found = {(each["attack"], each["variant"]) for each in content(tmp_path / "out")["outcomes"]}
    assert found == {("none", "none"), ("prefill", "1"), ("prefill", "3"), ("quantise", "4")}
    page = (tmp_path / "out/attacks.md").read_text()
    assert (page.count("## prefill"), page.count("## quantise")) == (1, 1)


def test_an_attack_that_a_model_is_not_built_for_stops_no_other(
    finished: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unlike(_: Any) -> None:
        raise UserError("layer 1 has no linear layer in self_attn")

    monkeypatch.setattr("safeeraser.attacks.refusal_direction.writers", unlike)
    monkeypatch.setattr(Attack, "refused", lambda *_: None)  # the small benchmark has too few pairs for it
    wanted = ("--attack", "refusal-direction=0.4", "--attack", "prefill=1")
    result = CliRunner().invoke(app, command(finished, tmp_path / "out", *wanted))
    assert result.exit_code == 0, result.output
    assert "layer 1 has no linear layer" in {each["reason"] for each in content(tmp_path / "out")["not_run"]}.pop()
    assert ("prefill", "1") in {(each["attack"], each["variant"]) for each in content(tmp_path / "out")["outcomes"]}


def test_data_without_keywords_for_an_attacker_are_said_to_be_measured_whole(finished: World, tmp_path: Path) -> None:
    data = shutil.copytree(finished.data, tmp_path / "data")
    small.edit(data, lambda records: [each.update(keyword="thing train 0") for each in records], "all_val.json")
    options = ["--data", str(data), "--limit", "1", "generate.max_new_tokens=2", "--attack", "grey=1"]
    words = ["attack", "--model", str(finished.model), *options, "--output", str(tmp_path / "out")]
    assert CliRunner().invoke(app, words).exit_code == 0
    page = (tmp_path / "out/attacks.md").read_text()
    assert "the whole validation part is asked" in page
    assert "No training and no attacker" not in page


@pytest.mark.parametrize(
    ("command_", "key"),
    [
        ("attack", "limits.generality=3"),
        *product(("attack", "evaluate"), ("attacks=[prefill]", "unlearn.steps=3", "output=elsewhere")),
    ],
)
def test_keys_that_would_change_nothing_are_refused(finished: World, tmp_path: Path, command_: str, key: str) -> None:
    words = [command_, "--model", str(finished.model), "--data", str(finished.data), "--output", str(tmp_path / "new")]
    result = CliRunner().invoke(app, [*words, key])
    assert result.exit_code == 2
    assert f"{key.partition('=')[0]}: changes nothing here" in " ".join(result.output.split())
    assert not (tmp_path / "new").exists()

"""The command line: what it answers, how it ends, and what it says about bad input."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from safeeraser import __version__
from safeeraser.cli import app
from safeeraser.records import Generation, Likelihood, read_jsonl, write_jsonl
from tests.benchmarks import small
from tests.docs.generate import command_paths
from tests.runs.pipeline.world import World, contents


class Ended:
    """How a command ended."""

    def __init__(self, *arguments: object) -> None:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="safeeraser")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        self.code, self.out, self.err = result.exit_code, result.stdout, result.stderr


def refused(*arguments: object) -> str:
    """The message of a command that ends with exit code 2 and prints no result and no traceback."""
    ended = Ended(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert "Traceback" not in ended.err
    return ended.err


# --- that it is there ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [path[1:] for path in command_paths()], ids=" ".join)
def test_every_command_explains_itself(path: tuple[str, ...]) -> None:
    ended = Ended(*path, "--help")
    assert ended.code == 0
    assert ended.out.startswith("Usage: safeeraser")


def test_help_needs_no_torch() -> None:
    code = (
        "import sys; from safeeraser.cli import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'transformers', 'peft', 'pydantic', 'scipy', 'matplotlib'} & set(sys.modules)\n"
        "print(*heavy, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not done.stderr.split()


def test_the_console_script_is_installed() -> None:
    script = Path(sys.executable).with_name("safeeraser")
    done = subprocess.run([script, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"safeeraser {__version__}"


def test_completion_knows_the_commands() -> None:
    environment = os.environ | {
        "_SAFEERASER_COMPLETE": "complete_bash",
        "COMP_WORDS": "safeeraser da",
        "COMP_CWORD": "1",
    }
    script = Path(sys.executable).with_name("safeeraser")
    done = subprocess.run([script], capture_output=True, text=True, env=environment, check=False)
    assert done.stdout.split() == ["data"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["methods"], "po+pd"),
        (["methods", "show", "po+pd"], "1 nll(refusal) + 1 plain_nll(retain) + 1 nll(decoupled)"),
        (["methods", "show", "po+pd"], "arXiv 2502.12520"),
        (["models"], "tiny"),
        (["benchmarks"], "icons"),
        (["judges"], "rules@"),
    ],
)
def test_lists(arguments: list[str], expected: str) -> None:
    ended = Ended(*arguments)
    assert ended.code == 0
    assert expected in ended.out


# --- runs ---------------------------------------------------------------------------------------------------------


def test_a_finished_run_prints_its_table(finished: World) -> None:
    before = contents(finished.folder)
    ended = Ended("run", finished.config)
    assert ended.code == 0
    assert all(name in ended.out for name in ("vanilla", "po+pd", "SARR"))
    assert "po: trained before" in ended.err
    assert contents(finished.folder) == before


def test_a_report_is_made_again(finished: World) -> None:
    before = contents(finished.folder)
    ended = Ended("report", finished.folder / "run")
    assert ended.code == 0
    assert "SARR" in ended.out
    assert contents(finished.folder) == before


def test_the_demo_takes_options(fresh: World) -> None:
    out = fresh.folder / "demo"
    changes = [
        f"model={fresh.model}",
        f"data={{benchmark: released, path: {fresh.data}}}",
        "unlearn={steps: 2, batch_size: 1, lora_r: 1}",
        "methods_settings={}",
        "also=[]",
        "generate.max_new_tokens=2",
    ]
    assert Ended("demo", *changes, "--output", out, "--limit", 2, "--seed", 7).code == 0
    assert json.loads((out / "manifest.json").read_text())["settings"]["seed"] == 7
    assert len(read_jsonl(out / "generations" / "po.jsonl", Generation)) == 8


def test_the_stages_alone_make_what_a_run_makes(finished: World, tmp_path: Path) -> None:
    run, data, model = finished.folder / "run", finished.data, finished.model
    training = ["steps=2", "batch_size=2", "lora_r=2", "learning_rate=0.01"]
    ended = Ended("unlearn", "--model", model, "--data", data, "--method", "po", "--output", tmp_path / "po", *training)
    assert ended.code == 0
    adapter = Path(ended.out.strip())
    weights = "adapter_model.safetensors"
    assert (adapter / weights).read_bytes() == (run / "models/po/adapter" / weights).read_bytes()

    answers, verdicts, scores = (tmp_path / name for name in ("answers.jsonl", "verdicts.jsonl", "scores.json"))
    options = ["--limit", 4, "max_new_tokens=4", "batch_size=8", "--output", answers]
    assert Ended("generate", "--model", model, "--adapter", adapter, "--data", data, *options).code == 0
    assert answers.read_bytes() == (run / "generations/po.jsonl").read_bytes()

    assert Ended("judge", "--data", data, "--generations", answers, "--output", verdicts).code == 0
    assert verdicts.read_bytes() == (run / "verdicts/po.jsonl").read_bytes()

    made = ["--generations", answers, "--verdicts", verdicts, "--name", "po", "--output", scores]
    ended = Ended("score", "--data", data, *made)
    assert "SARR" in ended.out
    theirs = [metric for metric in json.loads((run / "metrics.json").read_text()) if metric["model"] == "po"]
    assert json.loads(scores.read_text()) == theirs


def test_one_part_can_be_asked_alone(finished: World, tmp_path: Path) -> None:
    out = tmp_path / "answers.jsonl"
    common = ["--model", finished.model, "--data", finished.data, "--output", out, "max_new_tokens=1"]
    assert Ended("generate", *common, "--part", "decoupled", "--part", "retain", "--limit", 3).code == 0
    ids = [answer.example_id for answer in read_jsonl(out, Generation)]
    assert len(ids) == 6
    assert all(each.startswith("validation/") and "forget" not in each for each in ids)


# --- how it ends --------------------------------------------------------------------------------------------------


def test_an_interruption_ends_with_130_and_a_hint(finished: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("safeeraser.runs.pipeline.run", interrupted)
    ended = Ended("run", finished.config)
    assert (ended.code, ended.out) == (130, "")
    assert "what is written is kept" in ended.err
    assert "the same command goes on" in ended.err


def test_a_defect_keeps_its_traceback(finished: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ValueError("a bug")

    monkeypatch.setattr("safeeraser.runs.pipeline.run", broken)
    with pytest.raises(ValueError, match="a bug"):
        Ended("run", finished.config)


def test_messages_are_printed_as_they_are() -> None:
    assert "error: [bold]x[/bold].yaml: No such file" in refused("run", "[bold]x[/bold].yaml")


def test_a_click_usage_error_ends_with_2() -> None:
    assert "No such command 'rum'" in refused("rum")
    assert "--methd" in refused("unlearn", "--methd", "po")


# --- bad input: a message with file, record and field; exit code 2; nothing overwritten ---------------------------


def refused_run(world: World, *overrides: str) -> str:
    """The message of a run that is refused before it has written anything."""
    before = contents(world.folder)
    message = refused("run", world.config, *overrides)
    assert contents(world.folder) == before
    return message


def test_a_missing_image(fresh: World) -> None:
    name = small.load(fresh.data)[0]["image_path"]
    (fresh.data / name).unlink()
    message = refused_run(fresh)
    assert f"{fresh.data}/dataset/all_train.json" in message
    assert "image_path" in message
    assert name in message


def test_broken_json(fresh: World) -> None:
    path = fresh.data / "dataset" / "all_val.json"
    path.write_text(path.read_text()[:-40])
    assert f"{path}: not JSON" in refused_run(fresh)


def test_an_empty_question(fresh: World) -> None:
    small.edit(fresh.data, lambda records: records[1]["unsafe_pairs"][2].update(question=" "))
    message = refused_run(fresh)
    assert f"{fresh.data}/dataset/all_train.json" in message
    assert "unsafe_pairs[2].question" in message


def test_a_missing_key(fresh: World) -> None:
    small.edit(fresh.data, lambda records: records[0]["unsafe_pairs"][0].pop("question"))
    message = refused_run(fresh)
    assert "all_train.json" in message
    assert "unsafe_pairs[0]" in message


def test_several_problems_of_the_data_come_at_once(fresh: World) -> None:
    small.edit(fresh.data, lambda records: [one["unsafe_pairs"][0].pop("question") for one in records])
    assert refused_run(fresh).count("unsafe_pairs[0]") >= 2


def test_a_missing_data_folder(fresh: World) -> None:
    assert "nowhere: no such folder" in refused_run(fresh, "data.path=nowhere")


def test_no_data_folder_at_all(fresh: World) -> None:
    assert "data.path: the benchmark 'released' needs a folder" in refused_run(fresh, "data.path=null")


def test_wrong_keys_and_names_come_at_once(fresh: World) -> None:
    fresh.config.write_text(fresh.config.read_text() + "metods: [po]\nmethods: [vanilla, popd]\n")
    message = refused_run(fresh, "unlearn.lernrate=1")
    assert f"{fresh.config}:7: unknown key 'metods'; did you mean 'methods'" in message
    assert f"{fresh.config}:8: methods.1: unknown method 'popd'; did you mean 'po+pd'" in message
    assert "override 'unlearn.lernrate=1': unlearn: unknown key 'lernrate'; did you mean 'learning_rate'" in message


@pytest.mark.parametrize(
    "command",
    [
        ["run", "run.yaml"],
        ["data", "build", "icons"],
        ["agreement", "draw", "--output", "labels.csv"],
        ["agreement", "figures", "labels.csv"],
        ["unlearn", "--data", "icons", "--method", "po", "--output", "out"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize(
    ("seed", "bound"), [(-1, "greater than or equal to 0"), (2**32, "less than or equal to 4294967295")]
)
def test_a_seed_that_not_every_library_takes(
    command: list[str], seed: int, bound: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert f"'--seed': Input should be {bound}" in refused(*command, "--seed", seed)


def test_broken_yaml(fresh: World) -> None:
    fresh.config.write_text("methods: [po\nseed: 1\n")
    assert f"{fresh.config}:2: not YAML" in refused_run(fresh)


def test_a_run_folder_of_other_settings(finished: World) -> None:
    message = refused_run(finished, "unlearn.steps=3")
    assert "run/config.yaml: unlearn.steps: this run was made with 2, not 3" in message


def test_the_report_says_how_to_measure_likelihoods(finished: World, tmp_path: Path) -> None:
    page = (finished.folder / "run" / "report.md").read_text()
    commands = [shlex.split(line) for line in page.splitlines() if line.startswith("    safeeraser likelihood ")]
    assert [command[command.index("--name") + 1] for command in commands] == ["vanilla", "po", "po+pd"]
    _, *command = commands[-1]
    assert str(finished.folder / "run/models/po+pd/adapter") in command
    command[command.index("--output") + 1] = str(tmp_path / "likelihood.jsonl")  # the world is to stay as it is
    assert Ended(*command).code == 0
    asked = read_jsonl(finished.folder / "run/generations/po+pd.jsonl", Generation)
    measured = {each.example_id for each in read_jsonl(tmp_path / "likelihood.jsonl", Likelihood)}
    assert measured == {each.example_id for each in asked}


def test_an_unknown_model(fresh: World) -> None:
    assert "model: unknown model 'tinny'; did you mean 'tiny'" in refused_run(fresh, "model=tinny")


def test_a_model_folder_without_a_model(fresh: World) -> None:
    (fresh.folder / "empty").mkdir()
    message = refused("run", fresh.config, f"model={fresh.folder / 'empty'}")
    assert f"{fresh.folder / 'empty'}: no model in this folder (config.json is missing)" in message
    assert not (fresh.folder / "run").exists()


@pytest.mark.parametrize("command", ["run", "sweep", "evaluate", "attack"])
def test_a_model_that_is_not_there_leaves_no_folder(fresh: World, tmp_path: Path, command: str) -> None:
    model, output = tmp_path / "no" / "such", tmp_path / "new"
    words = ["--data", fresh.data, "--model", model]
    if command in ("run", "sweep"):
        words = [fresh.config, f"model={model}", "methods=[vanilla, po]", "sweep.space.learning_rate=[1e-3, 1e-2]"]
    assert f"model {model}: no such folder" in refused(command, *words, "--output", output)
    assert not output.exists()


def test_stages_refuse_unknown_names(finished: World, tmp_path: Path) -> None:
    common = ["--data", finished.data, "--output", tmp_path / "out"]
    assert "unknown method 'pod'" in refused("unlearn", *common, "--method", "pod")
    assert "unlearn: unknown key 'step'; did you mean 'steps'" in refused(
        "unlearn", *common, "--method", "po", "step=1"
    )
    answers = ["--generations", finished.folder / "run/generations/po.jsonl"]
    assert "unknown judge 'rule'; did you mean 'rules'" in refused("judge", *common, *answers, "--judge", "rule")
    assert "category" in refused("data", "show", finished.data, "--category", "Wepon")
    assert "unknown rule 'refusl'; did you mean 'refusal'" in refused(
        "data", "fix", finished.data, tmp_path / "copy", "--also", "refusl"
    )
    assert not list(tmp_path.iterdir())


def test_vanilla_cannot_be_trained(finished: World, tmp_path: Path) -> None:
    message = refused("unlearn", "--data", finished.data, "--method", "vanilla", "--output", tmp_path / "out")
    assert "nothing to train" in message
    assert not list(tmp_path.iterdir())


def test_an_adapter_that_is_not_there(finished: World, tmp_path: Path) -> None:
    out = tmp_path / "answers.jsonl"
    common = ["--model", finished.model, "--data", finished.data, "--output", out]
    assert f"{tmp_path / 'none'}" in refused("generate", *common, "--adapter", tmp_path / "none")
    assert not out.exists()


def test_answers_to_other_data(finished: World, tmp_path: Path) -> None:
    answers = tmp_path / "answers.jsonl"
    write_jsonl(answers, [Generation(example_id="somewhere/else", sample=0, answer="x", finish="stop")])
    common = ["--data", finished.data, "--generations", answers]
    assert "'somewhere/else'" in refused("judge", *common, "--output", tmp_path / "verdicts.jsonl")
    assert not (tmp_path / "verdicts.jsonl").exists()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("{broken", ":1: not JSON"),
        ('{"example_id": "a", "sample": 0, "answer": "x", "finnish": "stop"}', ":1: unknown field 'finnish'"),
        (
            '{"example_id": "a", "sample": 0, "answer": null, "finish": "stop"}',
            ":1: answer must be str, not null",
        ),
        ('{"example_id": "a", "answer": "x", "finish": "stop"}', ":1: no field 'sample', which every Generation has"),
    ],
)
def test_broken_answers(finished: World, tmp_path: Path, line: str, expected: str) -> None:
    answers = tmp_path / "answers.jsonl"
    answers.write_text(line + "\n")
    message = refused("judge", "--data", finished.data, "--generations", answers, "--output", tmp_path / "v.jsonl")
    assert f"{answers}{expected}" in message


def test_a_report_of_what_is_no_run(tmp_path: Path) -> None:
    assert f"{tmp_path}: not a run's folder (it has no config.yaml)" in refused("report", tmp_path)


def test_a_report_of_an_unfinished_run(finished: World, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_bytes((finished.folder / "run/config.yaml").read_bytes())
    assert "no answers of vanilla, po, po+pd yet" in refused("report", tmp_path)


@pytest.mark.parametrize("content", ['{"inputs": {"met', "[]", '{"steps": 2}', '{"inputs": {}, "steps": "two"}'])
def test_a_report_of_a_damaged_training(finished: World, tmp_path: Path, content: str) -> None:
    run = Path(shutil.copytree(finished.folder / "run", tmp_path / "run"))
    manifest = run / "models" / "po" / "manifest.json"
    manifest.write_text(content)
    assert f"{manifest}: not a training's manifest" in refused("report", run)


@pytest.mark.parametrize(
    ("key", "value"),
    [("parts", 3), ("parts", ["efficiency"]), ("adapters", ["po"]), ("data_from_run", 1), ("model_weights", {})],
)
def test_a_report_of_a_run_whose_manifest_was_edited(finished: World, tmp_path: Path, key: str, value: object) -> None:
    run = Path(shutil.copytree(finished.folder / "run", tmp_path / "run"))
    manifest = run / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {key: value}))
    before = contents(run)
    assert f"{manifest}: {key}" in refused("report", run)
    assert contents(run) == before


# --- data ---------------------------------------------------------------------------------------------------------


def test_data_is_built_checked_and_shown(tmp_path: Path) -> None:
    folder = tmp_path / "icons"
    assert Ended("data", "build", folder, "--scale", "0.01").code == 0
    checked = Ended("data", "check", folder)
    assert checked.code == 0
    assert "0 errors" in checked.err
    assert "train/forget" in checked.out
    assert Ended("data", "show", folder, "--limit", 1).out.count("forget") >= 1
    assert Ended("data", "show", folder, "--sheet", tmp_path / "sheet.html").code == 0
    assert "<html" in (tmp_path / "sheet.html").read_text().lower()
    before = contents(folder)
    assert "name a new folder" in refused("data", "build", folder, "--scale", "0.01")
    assert contents(folder) == before


def test_findings_end_with_1_and_can_be_fixed(fresh: World) -> None:
    small.edit(fresh.data, lambda records: records[0]["unsafe_pairs"][0].update(question=""))
    before = contents(fresh.data)
    found = Ended("data", "check", fresh.data)
    assert found.code == 1
    assert "1 errors" in found.err
    problems = json.loads(Ended("data", "check", fresh.data, "--json").out)["problems"]
    assert [one["field"] for one in problems if one["severity"] == "error"] == ["unsafe_pairs[0].question"]

    copy = fresh.folder / "copy"
    assert Ended("data", "fix", fresh.data, copy).code == 0
    assert Ended("data", "check", copy).code == 0
    assert contents(fresh.data) == before


@pytest.mark.parametrize("layout", ["released", "xstest"])
def test_a_folder_to_check_that_is_not_there(tmp_path: Path, layout: str) -> None:
    assert "nope: no such folder" in refused("data", "check", tmp_path / "nope", "--format", layout)


def test_data_build_refuses_bad_options(tmp_path: Path) -> None:
    assert "unknown benchmark to build 'icon'; did you mean 'icons'" in refused(
        "data", "build", tmp_path / "x", "--benchmark", "icon"
    )
    embedded = refused("data", "build", tmp_path / "x", "scal=0.1")
    assert "takes no KEY=VALUE" in embedded
    assert "unknown option 'scal'; did you mean '--scale'" in embedded
    assert "--scale must be above 0" in refused("data", "build", tmp_path / "x", "--scale", "2")
    assert not list(tmp_path.iterdir())


def test_the_command_group_is_one_object() -> None:
    assert set(typer.main.get_command(app).commands) >= {"demo", "run", "data", "unlearn", "generate", "judge", "score"}

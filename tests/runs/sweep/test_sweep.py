"""A sweep: every trial once, taken up after a stop, chosen on the selection part, checked by the run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from optuna.trial import TrialState

from safeeraser import runs
from safeeraser.errors import UserError
from safeeraser.records import Generation, read_jsonl
from safeeraser.runs import RunSettings, pipeline, sweep_report
from safeeraser.runs import sweep as sweeping
from safeeraser.runs.choice import check
from safeeraser.runs.kit import Kit, names
from safeeraser.runs.sweep import CHOICE, Sweep
from safeeraser.unlearning.output import Output
from tests.cli.test_cli import Ended
from tests.runs.pipeline import world
from tests.runs.pipeline.world import World, contents
from tests.runs.report.test_pages import data

SPACE = "sweep={trials: 3, measurements: 1, space: {learning_rate: {low: 1.0e-3, high: 1.0e-1, log: true}}}"


def settings(world: World, name: str, *overrides: str) -> RunSettings:
    given = (SPACE, "methods=[vanilla,po]", "unlearn.eval_questions=1", f"output={world.folder / name}", *overrides)
    return world.settings(*given)


def begin(world: World, name: str = "sweep", *overrides: str) -> Sweep:
    wanted = settings(world, name, *overrides)
    return Sweep.begin(wanted, Kit.of(wanted), world.said.append)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A world with a finished sweep."""
    made = world.make(tmp_path_factory.mktemp("swept"))
    found = begin(made)
    found.work()
    assert found.choose() == made.folder / "sweep" / CHOICE
    return made


def test_each_trial_is_a_training_with_its_answers_to_the_selection_part(done: World) -> None:
    trials = [path.parent for path in (done.folder / "sweep/trials/po").glob("*/result.json")]
    assert len(trials) == 3
    for trial in (*trials, done.folder / "sweep/vanilla"):
        answers = read_jsonl(trial / "generations.jsonl", Generation)
        assert {each.example_id.partition("/")[0] for each in answers} == {"selection"}
    rates = [
        json.loads((trial / "training/manifest.json").read_text())["inputs"]["settings"]["learning_rate"]
        for trial in trials
    ]
    assert len(set(rates)) == 3
    assert all(1e-3 <= rate <= 1e-1 for rate in rates)


def test_validation_is_nowhere_in_the_sweep(done: World) -> None:
    told = [text for name, text in contents(done.folder / "sweep").items() if name.endswith((".jsonl", ".json"))]
    assert told
    assert not any(b"validation/" in each for each in told)


def test_the_choice_is_the_best_trial_and_a_run_of_it_is_checked(done: World, tmp_path: Path) -> None:
    place = done.folder / "sweep" / CHOICE
    chosen = yaml.safe_load(place.read_text())["chosen"]
    best = begin(done).best("po")
    run = runs.load(place, [f"output={tmp_path / 'run'}"], names())
    assert run.unlearning("po") == best.settings
    assert chosen["objective"] == {"po": best.figures["objective"]}
    pipeline.run(run, Kit.of(run), done.said.append)
    assert runs.load(tmp_path / "run" / "config.yaml").chosen == run.chosen
    seeded = runs.load(place, ["seed=1", "limits.retain=1"], names())
    check(seeded, chosen["data"])


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("methods_settings.po.learning_rate=0.5", "the settings of po are not those that were chosen at"),
        ("unlearn.lora_r=3", "the settings of po are not those that were chosen"),
        ("methods=[vanilla,gd]", "has not tried gd"),
        ("chosen.data=other", "the choice was made on other data"),
    ],
)
def test_what_was_changed_after_the_choice_is_refused(done: World, tmp_path: Path, override: str, message: str) -> None:
    run = runs.load(done.folder / "sweep" / CHOICE, [f"output={tmp_path / 'run'}", override], names())
    with pytest.raises(UserError, match=message):
        pipeline.run(run, Kit.of(run), done.said.append)
    assert not (tmp_path / "run").exists()


def test_a_finished_sweep_is_left_as_it_is(done: World) -> None:
    before = contents(done.folder / "sweep")
    again = begin(done)
    assert again.left() == 0
    again.work()
    again.choose()
    assert contents(done.folder / "sweep") == before


def test_another_sweep_does_not_go_into_its_folder(done: World) -> None:
    with pytest.raises(UserError, match=r"unlearn\.steps: this sweep was begun with 2, not 3"):
        begin(done, "sweep", "unlearn.steps=3")
    with pytest.raises(UserError, match="not a sweep's folder"):
        begin(done, "data")


class _Killed(BaseException):
    pass


def test_a_trial_that_was_cut_off_is_taken_up(fresh: World, monkeypatch: pytest.MonkeyPatch, done: World) -> None:
    found = begin(fresh)
    write = Output.log

    def stop(self: Output, entry: dict[str, float]) -> None:
        write(self, entry)
        if entry["step"] == 1:
            raise _Killed

    monkeypatch.setattr(Output, "log", stop)
    with pytest.raises(_Killed):
        found.work()
    assert found.choose() is None
    monkeypatch.setattr(Output, "log", write)
    again = begin(fresh)
    assert again.left() == 2  # the one that was cut off counts until it is looked for
    again.work()
    assert again.choose() is not None
    trials = again.study("po").get_trials()
    assert [each.state for each in trials].count(TrialState.COMPLETE) == 3
    assert trials[0].params == trials[1].params
    straight = [each.params for each in begin(done).study("po").get_trials()]
    assert straight[0] == trials[0].params


def test_a_trial_below_the_median_is_broken_off_and_one_that_fails_is_told(
    fresh: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = iter([0.9] * 5 + [0.1])
    space = "sweep={trials: 7, space: {learning_rate: {low: 1.0e-3, high: 1.0e-1}}}"
    found = begin(fresh, "sweep", space)

    def train(*_: Any) -> Path:
        *_, folder, curve = _
        value = next(values, None)
        if value is None:
            raise UserError("the loss is not a number")
        curve.told(2, value)
        return Path(folder)

    monkeypatch.setattr(sweeping, "unlearn", train)
    monkeypatch.setattr(Sweep, "_measured", lambda *_: {"rr": 0.5, "objective": 0.5})
    found.work()
    best = found.best("po")
    assert best.states == {"finished": 5, "broken off": 1, "failed": 1}
    assert best.figures["objective"] == 0.5
    assert any("the loss is not a number" in line for line in fresh.said)


def test_without_pruning_there_are_no_curves_to_draw(fresh: World) -> None:
    config = fresh.folder / "config.yaml"
    space = "sweep={trials: 1, prune: false, space: {learning_rate: [0.01]}}"
    config.write_text(runs.as_yaml(settings(fresh, "sweep", space)))

    ended = Ended("sweep", config)

    assert ended.code == 0, ended.err
    drawn = {each.name for each in (fresh.folder / "sweep" / "plots").iterdir()}
    assert drawn == {"po-history.png", "po-slice.png"}


def test_a_method_may_have_an_objective_of_its_own(fresh: World) -> None:
    space = "sweep={trials: 1, prune: false, methods_objective: {po: [asr]}, space: {learning_rate: [0.01]}}"
    found = begin(fresh, "sweep", space)
    found.work()
    best = found.best("po")
    assert best.figures["objective"] == 1 - best.figures["asr"] != min(best.figures["rr"], 1 - best.figures["sarr"])
    sweep_report.write(found, [best])
    assert "answers kept, retain; for po of ASR (" in (found.root / "report.md").read_text()


def test_the_command_prints_what_was_chosen_and_writes_a_page(done: World) -> None:
    root = done.folder / "sweep"
    config = done.folder / "config.yaml"
    config.write_text(runs.as_yaml(settings(done, "sweep")))

    ended = Ended("sweep", config)

    assert ended.code == 0, ended.err
    assert f"safeeraser run {root / CHOICE}" in ended.err
    assert "learning_rate=" in ended.out
    best = begin(done).best("po")
    page = data(root / "report.html")
    assert [each["name"] for each in page["models"]] == ["vanilla", "po"]
    assert [each["best"] for each in page["trials"]].count(True) == 1
    assert next(each for each in page["trials"] if each["best"])["figures"] == best.figures
    shown = [each for each in page["metrics"] if (each["model"], each["name"]) == ("po", "rr")]
    assert {each["value"] for each in shown if each["part"] == "generality"} == {best.figures["rr"]}
    assert (
        f"| po | {100 * best.figures['asr']:.1f} | {100 * best.figures['rr']:.1f} |" in (root / "report.md").read_text()
    )
    assert best.figures["objective"] == 0.0  # a model of random weights refuses nothing
    assert "po: the objective was 0 in every trial" in " ".join(ended.err.split())
    assert "| trials of po | 3 trials | " in (root / "report.md").read_text()
    assert [each[:2] for each in page["costs"]["rows"]] == [
        ["answers of vanilla", "12 answers"],
        ["trials of po", "3 trials"],
        ["all", ""],
    ]
    assert {each.name for each in (root / "plots").iterdir()} == {
        f"po-{name}.png" for name in ("curves", "history", "slice")
    }

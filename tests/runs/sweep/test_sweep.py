"""A sweep: every trial once, taken up after a stop, chosen on the selection part, checked by the run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import optuna
import pytest
import yaml
from optuna.storages.journal import JournalFileSymlinkLock
from optuna.trial import TrialState

from safeeraser import runs
from safeeraser.cli.names import names
from safeeraser.errors import DiskError, UserError
from safeeraser.files import owned
from safeeraser.generation.record_file import read_meta
from safeeraser.judges import Judge
from safeeraser.judges.base import UNFINISHED, Asked
from safeeraser.judges.run import FailureLimitError
from safeeraser.pixels import ImageError
from safeeraser.records import Axis, Generation, Stream, Verdict, read_jsonl
from safeeraser.runs import RunSettings, pipeline, sweep_report
from safeeraser.runs import sweep as sweeping
from safeeraser.runs.choice import ASKED, check, chosen
from safeeraser.runs.distributions import distributions
from safeeraser.runs.kit import Kit
from safeeraser.runs.sweep import Best, Sweep
from safeeraser.runs.sweep_folder import CHOICE, VALIDATION, claim, storage
from safeeraser.unlearning.output import Output
from tests.cli.test_cli import Ended
from tests.files.room import no_room
from tests.runs.pipeline import world
from tests.runs.pipeline.world import World, contents
from tests.runs.report.test_pages import data

SPACE = "sweep={trials: 2, measurements: 1, space: {learning_rate: {low: 1.0e-3, high: 1.0e-1, log: true}}}"


def settings(world: World, name: str, *overrides: str) -> RunSettings:
    given = (SPACE, "methods=[vanilla,po]", "unlearn.eval_questions=1", f"output={world.folder / name}", *overrides)
    return world.settings(*given)


def begin(world: World, name: str = "sweep", *overrides: str) -> Sweep:
    wanted = settings(world, name, *overrides)
    return Sweep.begin(wanted, Kit.of(wanted), world.said.append)


class _Killed(BaseException):
    pass


def _kill(*_: Any, **__: Any) -> None:
    raise _Killed


def best_of(sweep: Sweep) -> Best:
    found = sweep.best("po")
    assert found is not None
    return found


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A world with a finished sweep."""
    made = world.make(tmp_path_factory.mktemp("swept"))
    found = begin(made)
    found.work()
    assert found.choose() == made.folder / "sweep" / CHOICE
    return made


def copy(done: World, root: Path) -> None:
    """Copy the finished sweep, without what other tests have asked with its choice."""
    shutil.copytree(done.folder / "sweep", root, ignore=shutil.ignore_patterns(ASKED))


def test_each_trial_is_a_training_with_its_answers_to_the_selection_part(done: World) -> None:
    trials = [path.parent for path in (done.folder / "sweep/trials/po").glob("*/result.json")]
    assert len(trials) == 2
    for trial in (*trials, done.folder / "sweep/vanilla"):
        answers = read_jsonl(trial / "generations.jsonl", Generation)
        assert {each.example_id.partition("/")[0] for each in answers} == {"selection"}
    rates = [
        json.loads((trial / "training/manifest.json").read_text())["inputs"]["settings"]["learning_rate"]
        for trial in trials
    ]
    assert len(set(rates)) == 2
    assert all(1e-3 <= rate <= 1e-1 for rate in rates)


def test_validation_is_nowhere_in_the_sweep(done: World) -> None:
    told = [text for name, text in contents(done.folder / "sweep").items() if name.endswith((".jsonl", ".json"))]
    assert told
    assert not any(b"validation/" in each for each in told)


def test_the_choice_is_the_best_trial_and_a_run_of_it_is_checked(done: World, tmp_path: Path) -> None:
    place = done.folder / "sweep" / CHOICE
    chosen = yaml.safe_load(place.read_text())["chosen"]
    best = best_of(begin(done))
    run = runs.load(place, [f"output={tmp_path / 'run'}"], names())
    assert run.unlearning("po") == best.settings
    assert chosen["objective"] == {"po": best.figures["objective"]}
    pipeline.run(run, Kit.of(run), done.said.append)
    assert runs.load(tmp_path / "run" / "config.yaml").chosen == run.chosen
    seeded = runs.load(place, ["seed=1", "limits.retain=1"], names())
    check(seeded, chosen["data"], chosen["weights"])


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("methods_settings.po.learning_rate=0.5", "the settings of po are not those that were chosen at"),
        ("unlearn.lora_r=3", "the settings of po are not those that were chosen"),
        ("methods=[vanilla,gd]", "has not tried gd"),
        ("chosen.data=other", "the choice was made on other data"),
        ("chosen.weights=sha256 other", "the choice was made with other weights"),
        ("generate.max_new_tokens=2", "the settings of po are not those that were chosen"),
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


def test_trials_can_be_added_until_the_choice_is_written_and_never_taken_away(fresh: World, done: World) -> None:
    space = "space: {learning_rate: {low: 1.0e-3, high: 1.0e-1}}"
    assert begin(fresh, "sweep", f"sweep={{trials: 2, {space}}}").trials == 2
    with pytest.raises(UserError, match=r"sweep.yaml: sweep.trials: .* 2 trials of each method, not 1"):
        begin(fresh, "sweep", f"sweep={{trials: 1, {space}}}")
    first = begin(fresh, "sweep", f"sweep={{trials: 2, {space}}}")
    assert begin(fresh, "sweep", f"sweep={{trials: 3, {space}}}").left() == 3
    assert first.left() == 3  # the process that was told less does not write the choice before the others are done
    with pytest.raises(UserError, match="not 3: and its choice is written"):
        begin(done, "sweep", SPACE.replace("trials: 2", "trials: 3"))


def test_a_process_begins_chooses_and_reports_alone(
    done: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trials that are added meanwhile would not be in the choice, and two reports would judge into one file."""
    root = tmp_path / "sweep"
    copy(done, root)
    found = begin(done, "sweep", f"output={root}")
    (root / CHOICE).unlink()
    seen: list[str] = []

    def alone(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*given: Any) -> Any:
            with pytest.raises(UserError, match="is at work here"), owned(root / "begin"):
                pass
            seen.append(name)
            return work(*given)

        return wrapped

    monkeypatch.setattr(sweeping, "claim", alone("begin", claim))
    monkeypatch.setattr(sweeping, "chosen", alone("choose", chosen))
    monkeypatch.setattr(Sweep, "judged", alone("report", Sweep.judged))
    begin(done, "sweep", f"output={root}")
    found.choose()
    sweep_report.write(found, [best_of(found)])
    assert list(dict.fromkeys(seen)) == ["begin", "choose", "report"]


def test_other_data_or_weights_do_not_go_into_a_sweep(fresh: World) -> None:
    begin(fresh)
    changed = next(path for path in fresh.data.rglob("*.json") if path.read_text().strip().startswith(("[", "{")))
    whole = changed.read_text()
    changed.write_text(whole.replace("?", " please?", 1))
    with pytest.raises(UserError, match=r"manifest.json: data: this sweep was begun on other data"):
        begin(fresh)
    changed.write_text(whole)
    world.write_model(fresh.model, seed=1)
    with pytest.raises(UserError, match="model_weights"):
        begin(fresh)


def test_machines_of_several_kinds_compute_in_the_precision_of_the_first(
    fresh: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("safeeraser.models.load.native_bfloat16", lambda _: False)
    begin(fresh)
    monkeypatch.setattr("safeeraser.models.load.native_bfloat16", lambda _: True)
    begin(fresh).work()
    answers = [*(fresh.folder / "sweep").rglob("generations.jsonl")]
    assert len(answers) == 1 + 2
    assert {read_meta(each)["dtype"] for each in answers} == {"torch.float32"}


def test_data_and_model_may_be_moved(fresh: World, tmp_path: Path) -> None:
    other = world.write_data(tmp_path / "other")
    begin(fresh, "sweep", f"also=[{{benchmark: icons_hard, path: {other}}}]")
    places = {name: tmp_path / f"moved {name}" for name in ("data", "model", "other")}
    for place, now in zip((fresh.data, fresh.model, other), places.values(), strict=True):
        place.rename(now)
    moved = f"data={{benchmark: released, path: {places['data']}}}", f"model={places['model']}"
    assert begin(fresh, "sweep", *moved, f"also=[{{benchmark: icons_hard, path: {places['other']}}}]").left() == 2
    with pytest.raises(UserError, match=r"sweep\.yaml: also: this sweep was begun with .*icons_hard"):
        begin(fresh, "sweep", *moved, f"also=[{{benchmark: icons, path: {places['other']}}}]")


def test_a_line_that_was_half_written_costs_no_other(fresh: World) -> None:
    begin(fresh)
    log = fresh.folder / "sweep" / "trials.log"
    whole = log.read_bytes()
    log.write_bytes(whole + b'{"op_code":4,"worker')
    found = begin(fresh)
    assert log.read_bytes() == whole
    found.work()
    assert best_of(begin(fresh)).states["finished"] == 2
    log.write_bytes(b"no JSON\n" + log.read_bytes())
    with pytest.raises(UserError, match=r"trials\.log"):
        begin(fresh)


def test_a_lock_that_a_killed_process_left_is_taken_over(fresh: World, monkeypatch: pytest.MonkeyPatch) -> None:
    begin(fresh)
    monkeypatch.chdir(fresh.folder)
    root = Path("sweep")  # as it is by default: from the current folder
    with monkeypatch.context() as killed:
        killed.setattr(JournalFileSymlinkLock, "release", lambda _: None)
        storage(root)
    assert (root / "trials.log.lock").is_symlink()
    ten_seconds_each = iter(range(0, 1_000, 10))
    clock = SimpleNamespace(monotonic=lambda: next(ten_seconds_each), sleep=lambda _: None)
    monkeypatch.setattr("optuna.storages.journal._file.time", clock)
    storage(root)
    assert not (root / "trials.log.lock").is_symlink()


@pytest.mark.parametrize("damage", [b"no JSON\n", b"\x00\xff\n", b"\xff\xfe\n"])
def test_a_damaged_file_of_trials_is_named(fresh: World, damage: bytes) -> None:
    begin(fresh)
    log = fresh.folder / "sweep" / "trials.log"
    log.write_bytes(damage + log.read_bytes())
    with pytest.raises(UserError, match=r"sweep/trials\.log: damaged; put a copy"):
        begin(fresh)


@pytest.mark.parametrize(("prune", "place"), [("true", "no checkpoint could be written"), ("false", "adapter: ")])
def test_a_full_disk_costs_no_trial(fresh: World, prune: str, place: str) -> None:
    space = f"sweep={{trials: 1, prune: {prune}, space: {{learning_rate: [0.01]}}}}"
    found = begin(fresh, "sweep", "unlearn.eval_questions=0", space)
    with no_room(10_000), pytest.raises(DiskError, match=place):
        found.work()
    again = begin(fresh, "sweep", "unlearn.eval_questions=0", space)
    again.work()
    assert best_of(again).states == {"finished": 1, "broken off": 0, "failed": 0}


def test_a_method_of_which_every_trial_failed_is_left_out(fresh: World) -> None:
    space = (
        "sweep={trials: 1, prune: false, space: {learning_rate: [0.01]}, methods_space: {gd: {learning_rate: [1e30]}}}"
    )
    config = fresh.folder / "config.yaml"
    config.write_text(
        runs.as_yaml(
            settings(fresh, "sweep", space, "methods=[vanilla,gd,po]", "attacks=prefill", "attack_models=[gd]")
        )
    )

    ended = Ended("sweep", config)

    assert ended.code == 0, ended.err
    assert "warning: gd: no trial came to its end; the first:" in " ".join(ended.err.split())
    run = runs.load(fresh.folder / "sweep" / CHOICE, [], names())
    assert (run.methods, run.attacks) == (("vanilla", "po"), ())
    assert run.chosen is not None
    assert list(run.chosen.hashes) == ["po"]
    report = (fresh.folder / "sweep" / "report.md").read_text()
    assert "gd: no trial came to its end" in report
    assert "| trials of gd | 1 trials |" in report
    page = data(fresh.folder / "sweep" / "report.html")
    assert [(each["method"], each["best"]) for each in page["trials"]] == [("gd", False), ("po", True)]


def test_a_trial_that_was_killed_with_its_error_noted_is_not_done_again(
    fresh: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = "sweep={trials: 2, prune: false, space: {learning_rate: {low: 1.0e+29, high: 1.0e+30}}}"
    monkeypatch.setattr(optuna.Study, "tell", _kill)
    with pytest.raises(_Killed):
        begin(fresh, "sweep", space).work()
    monkeypatch.undo()
    again = begin(fresh, "sweep", space)
    again.work()
    assert len({each.params["learning_rate"] for each in again.study("po").get_trials()}) == 2


def test_a_trial_that_ends_while_another_process_looks_at_it_stays_ended(
    fresh: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = "sweep={trials: 1, prune: false, space: {learning_rate: [0.01]}}"
    found = begin(fresh, "sweep", space)
    trial = found.study("po").ask(distributions(found.settings, "po"))

    def ends_first(place: Path, **options: Any) -> Any:
        if place.name == f"trial-{trial.number}":
            found.study("po").tell(trial.number, 0.5)
        return owned(place, **options)

    monkeypatch.setattr(sweeping, "owned", ends_first)
    begin(fresh, "sweep", space).work()
    assert [each.value for each in found.study("po").get_trials()] == [0.5]


def test_nothing_is_chosen_again_once_validation_was_asked(done: World, tmp_path: Path) -> None:
    root = tmp_path / "sweep"
    copy(done, root)
    (root / VALIDATION / "generations").mkdir(parents=True)
    same = f"output={root}"
    begin(done, "sweep", same)
    (root / CHOICE).unlink()
    with pytest.raises(UserError, match=r"sweep/validation: validation has been asked already"):
        begin(done, "sweep", same)


def test_a_run_that_was_begun_with_another_choice_is_not_gone_on_with(done: World, tmp_path: Path) -> None:
    place = done.folder / "sweep" / CHOICE
    run = runs.load(place, [f"output={tmp_path / 'run'}"], names())
    pipeline.run(run, Kit.of(run), done.said.append)
    later = runs.load(place, [f"output={tmp_path / 'run'}", "chosen.time=later"], names())
    with pytest.raises(UserError, match=r"config.yaml: chosen: this run was begun with another choice .* later"):
        pipeline.run(later, Kit.of(later), done.said.append)


def test_what_the_model_had_nothing_of_is_named(fresh: World) -> None:
    found = begin(fresh, "sweep", "limits.retain=1", "sweep={trials: 1, prune: false, space: {learning_rate: [0.01]}}")
    assert found.missing("po") == ["kept", "retain"]  # a model of random weights is right in nothing
    told = "po: objective: the model before unlearning has no kept or retain that could be kept, which is left out"
    assert f"warning: {told}" in fresh.said
    found.work()
    sweep_report.write(found, [best_of(found)])
    assert "smallest for po of RR, SARR (" in (found.root / "report.md").read_text()


def test_only_the_model_before_cannot_be_tuned(fresh: World) -> None:
    with pytest.raises(UserError, match=r"^methods: vanilla is the model before unlearning"):
        begin(fresh, "sweep", "methods=[vanilla]")


def test_a_trial_that_was_trained_before_has_its_curve(fresh: World, monkeypatch: pytest.MonkeyPatch) -> None:
    space = "sweep={trials: 1, measurements: 1, space: {learning_rate: [0.01]}}"
    found = begin(fresh, "sweep", space)
    monkeypatch.setattr(sweeping, "generate", _kill)
    with pytest.raises(_Killed):
        found.work()
    monkeypatch.undo()
    again = begin(fresh, "sweep", space)
    again.work()
    curves = [each.intermediate_values for each in again.study("po").get_trials()]
    assert len(curves) == 2
    assert all(list(each) == [2] for each in curves)


def unheard(kit: Kit, axis: Axis, failure: str) -> Kit:
    """A kit whose judge scores nothing on an axis."""

    def make(refusals: Sequence[str]) -> Judge:
        judge = kit.judge(refusals)

        def opinions(asked: Sequence[Asked]) -> Iterator[list[Verdict]]:
            for verdicts in judge.opinions(asked):
                yield [replace(each, value=None, failure=failure) if each.axis is axis else each for each in verdicts]

        return replace(judge, opinions=opinions)

    return replace(kit, judge=make)


def test_figures_that_the_judge_did_not_score_are_not_left_out(fresh: World) -> None:
    wanted = settings(fresh, "sweep")
    with pytest.raises(FailureLimitError, match=r"vanilla.*offline"):
        Sweep.begin(wanted, unheard(Kit.of(wanted), Axis.FACTUAL, "offline"), fresh.said.append)
    assert not (fresh.folder / "sweep/vanilla/result.json").exists()
    begin(fresh)
    broken = Sweep.begin(wanted, unheard(Kit.of(wanted), Axis.REFUSAL, "offline"), fresh.said.append)
    with pytest.raises(FailureLimitError, match="scored no answer for rr"):
        broken.work()
    again = begin(fresh)
    again.work()
    assert best_of(again).states["finished"] == 2  # the one that was being judged is taken up


def test_the_run_keeps_the_adapter_that_the_trial_kept(fresh: World) -> None:
    space = "sweep={trials: 1, space: {learning_rate: [0.05]}}"
    found = begin(fresh, "sweep", space, "unlearn.steps=6", "unlearn.eval_steps=2", "unlearn.objective=[asr]")
    found.work()
    place = found.choose()
    assert place is not None
    run = runs.load(place, [f"output={fresh.folder / 'run'}"], names())
    pipeline.run(run, Kit.of(run), fresh.said.append)
    told = [folder / "manifest.json" for folder in (best_of(found).folder / "training", fresh.folder / "run/models/po")]
    trial, trained = (json.loads(each.read_text()) for each in told)
    assert trial["best_step"] == trained["best_step"]
    assert trial["objective"] == trained["objective"]
    assert trial["inputs"]["watched"]["objective"] == trained["inputs"]["watched"]["objective"] == ["asr"]


def test_a_trial_whose_answers_never_leave_their_reasoning_has_failed(fresh: World) -> None:
    begin(fresh)
    wanted = settings(fresh, "sweep")
    found = Sweep.begin(wanted, unheard(Kit.of(wanted), Axis.REFUSAL, UNFINISHED), fresh.said.append)
    found.work()
    with pytest.raises(UserError, match=r"po: no trial came to its end; the first: .*scored no answer for rr"):
        found.choose()
    assert found.best("po") is None


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
    assert again.left() == 1  # the one that was cut off counts until it is looked for
    again.work()
    assert again.choose() is not None
    trials = again.study("po").get_trials()
    assert [each.state for each in trials].count(TrialState.COMPLETE) == 2
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
    best = best_of(found)
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
    space = "sweep={trials: 1, prune: false, space: {learning_rate: [0.01]}}"
    found = begin(fresh, "sweep", space, "methods_settings.po.objective=[asr]")
    found.work()
    best = best_of(found)
    assert best.figures["objective"] == 1 - best.figures["asr"] != min(best.figures["rr"], 1 - best.figures["sarr"])
    sweep_report.write(found, [best])
    assert "The objective is the smallest for po of ASR (" in (found.root / "report.md").read_text()


def test_the_command_prints_what_was_chosen_and_writes_a_page(done: World) -> None:
    root = done.folder / "sweep"
    config = done.folder / "config.yaml"
    config.write_text(runs.as_yaml(settings(done, "sweep")))

    ended = Ended("sweep", config)

    assert ended.code == 0, ended.err
    assert f"safeeraser run {root / CHOICE}" in ended.err
    assert "learning_rate=" in ended.out
    best = best_of(begin(done))
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
    assert "| trials of po | 2 trials | " in (root / "report.md").read_text()
    assert [each[:2] for each in page["costs"]["rows"]] == [
        ["answers of vanilla", "12 answers"],
        ["trials of po", "2 trials"],
        ["all", ""],
    ]
    assert {each.name for each in (root / "plots").iterdir()} == {
        f"po-{name}.png" for name in ("curves", "history", "slice")
    }


def test_the_selection_part_of_other_data_is_asked_and_counts(fresh: World, tmp_path: Path) -> None:
    other = world.write_data(tmp_path / "other")  # whose examples have the names of the sweep's own
    wanted = (f"also=[{{benchmark: icons_hard, path: {other}}}]", "limits.generality=3")
    sweep = begin(fresh, "sweep", *wanted)
    assert [each.id.partition("/")[0] for each in sweep.asked if each.stream is Stream.FORGET] == [
        *["selection"] * 3,
        *["icons_hard:selection"] * 3,
    ]
    asked = {each.id: each for each in sweep.asked}
    assert all(asked[each.partner].question == each.question for each in sweep.asked if each.partner in asked)
    sweep.work()
    answers = read_jsonl(best_of(sweep).folder / "generations.jsonl", Generation)
    assert {each.example_id for each in answers} == asked.keys()
    assert sweep.choose()
    sweep_report.write(sweep, [best_of(sweep)])
    told = "the selection part of released (11 questions) and of icons_hard (11 questions), "
    assert told in (sweep.root / "report.md").read_text()
    with pytest.raises(UserError, match=r"sweep\.yaml: also"):
        begin(fresh, "sweep", "limits.generality=3")
    prompts = next(other.rglob("prompt.json"))
    prompts.write_text(prompts.read_text().replace("Sorry", "Sorry,"))
    with pytest.raises(UserError, match=r"manifest\.json: also\.0: this sweep was begun on other data"):
        begin(fresh, "sweep", *wanted)


def test_other_data_without_a_selection_part_choose_nothing(fresh: World, tmp_path: Path) -> None:
    other = world.write_data(tmp_path / "other")
    next(other.rglob("all_selection.json")).unlink()
    sweep = begin(fresh, "sweep", f"also=[{{benchmark: icons_hard, path: {other}}}]")
    assert len(sweep.asked) == len(begin(fresh, "alone").asked)
    sweep.work()
    sweep_report.write(sweep, [best_of(sweep)])
    assert "the selection part of released (12 questions), 2 trials" in (sweep.root / "report.md").read_text()
    assert any(f"also.0: {other} has no examples of the selection split" in each for each in fresh.said)
    with pytest.raises(UserError, match=r"^also\.0\.path: .*no such folder"):
        begin(fresh, "none", f"also=[{{benchmark: vscbench, path: {tmp_path / 'none'}}}]")
    with pytest.raises(UserError, match=r"^also\.0\.path: the benchmark 'released' needs a folder"):
        begin(fresh, "none", "also=[released]", "data.benchmark=icons_hard")


def test_a_trial_is_checked_as_it_will_be_trained(fresh: World) -> None:
    """One that may be broken off is measured on its way: the selection part must have all that it trains on."""
    place = next(fresh.data.rglob("all_selection.json"))
    records = json.loads(place.read_text())
    place.write_text(json.dumps([{k: v for k, v in each.items() if "Unharm" not in k} for each in records]))
    with pytest.raises(UserError, match="no retain examples in its selection split"):
        begin(fresh)
    assert not (fresh.folder / "sweep").exists()
    begin(fresh, "sweep", SPACE.replace("trials: 2", "trials: 2, prune: false"))


def test_pictures_that_are_gone_for_a_moment_cost_no_trial(fresh: World) -> None:
    found = begin(fresh)
    pictures = fresh.data.rename(fresh.folder / "away")
    with pytest.raises(ImageError):
        found.work()
    pictures.rename(fresh.data)
    again = begin(fresh)
    again.work()
    assert best_of(again).states == {"finished": 2, "broken off": 0, "failed": 0}


def test_another_judge_does_not_go_on_with_a_sweep(fresh: World) -> None:
    manifest = begin(fresh).root / "manifest.json"
    manifest.write_text(manifest.read_text().replace("rules@", "rules@0"))
    with pytest.raises(UserError, match=r"manifest\.json: judge: this sweep was begun with another judge \(rules@0"):
        begin(fresh)


def test_a_choice_goes_with_the_judge_of_its_curves(done: World) -> None:
    place = done.folder / "sweep" / CHOICE
    asked = yaml.safe_load(place.read_text())["chosen"]
    run = runs.load(place, ["judge=rules+fluency"], names())
    with pytest.raises(UserError, match=r"chosen\.judge: another judge chose which adapter of the training of po"):
        check(run, asked["data"], asked["weights"])


def test_a_run_of_the_choice_elsewhere_is_known_to_have_asked_validation(done: World, tmp_path: Path) -> None:
    root = tmp_path / "sweep"
    copy(done, root)
    run = runs.load(root / CHOICE, [f"output={tmp_path / 'elsewhere'}", f"chosen.sweep={root}"], names())
    for _ in range(2):
        pipeline.run(run, Kit.of(run), done.said.append)
    assert (root / ASKED).read_text() == f"{tmp_path / 'elsewhere'}\n"
    begin(done, "sweep", f"output={root}")
    (root / CHOICE).unlink()
    with pytest.raises(UserError, match=r"/elsewhere: validation has been asked already"):
        begin(done, "sweep", f"output={root}")

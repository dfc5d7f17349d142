"""Finished runs and answer files, read back: what fits together, and what is said where something does not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from safeeraser.benchmarks.released import read as released
from safeeraser.benchmarks.released.answers import read_answers
from safeeraser.errors import UserError
from safeeraser.files import write_text
from safeeraser.judges import rules_judge
from safeeraser.metrics import PAPER, STRICT, summarise
from safeeraser.records import Generation, Metric, Split, Verdict, append_jsonl, read_jsonl
from safeeraser.runs.results import (
    Judged,
    Reader,
    ResultsError,
    asked_in,
    choose_judge,
    judge_answers,
    same_but_for_the_seed,
    without_own_answers,
)
from tests.benchmarks import small
from tests.metrics import fake_runs
from tests.metrics.records import example, generation, verdict


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.write(tmp_path_factory.mktemp("data"))


def all_of(judged: Judged, name: str, part: str) -> Metric:
    columns = judged.columns(STRICT)
    return next(
        summarise("m", column)
        for column in columns
        if (column.measure.name, column.measure.part, column.group) == (name, part, "all")
    )


# --- runs ----------------------------------------------------------------------------------------------------------


def test_a_run_is_read_back(data: Path, tmp_path: Path) -> None:
    (run,) = Reader().read([fake_runs.write(tmp_path / "run", data)])
    assert run.judge.startswith("rules@")
    assert all_of(run.judged("po"), "sarr", "decoupled").value == 1
    assert all_of(run.judged("vanilla"), "sarr", "decoupled").value == 0
    with pytest.raises(ResultsError, match=r"unknown model 'poo'.*did you mean 'po'"):
        run.judged("poo")


def test_the_questions_are_those_of_the_run_s_seed_and_limits(data: Path, tmp_path: Path) -> None:
    roots = [fake_runs.write(tmp_path / str(seed), data, seed=seed, limits={"retain": 3}) for seed in (1, 2)]
    for run in Reader().read(roots):
        assert {each.id for each in run.examples} == {answer.example_id for answer in run.judged("po").answers}


def test_the_data_may_have_moved(data: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere"
    shutil.copytree(data, moved)
    root = fake_runs.write(tmp_path / "run", moved)
    shutil.rmtree(moved)
    (run,) = Reader(data=data).read([root])
    assert all_of(run.judged("vanilla"), "rr", "generality").value == 0


def spoil_config(root: Path) -> None:
    (root / "config.yaml").unlink()


def spoil_verdicts(root: Path) -> None:
    (root / "verdicts/po.jsonl").unlink()


def spoil_data(root: Path) -> None:
    write_text(root / "manifest.json", json.dumps({"data": "other"}))


def add_a_judge(root: Path) -> None:
    made = read_jsonl(root / "verdicts/po.jsonl", Verdict)[0]
    other = Verdict(example_id=made.example_id, sample=0, judge="rules@other", axis=made.axis, value=1.0)
    append_jsonl(root / "verdicts/po.jsonl", [other])


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (spoil_config, "not a run's folder"),
        (spoil_verdicts, "po.jsonl: not there: the run is not finished"),
        (spoil_data, "made from other content"),
        (add_a_judge, "several judges: rules@.*choose one with --judge"),
    ],
)
def test_what_cannot_be_read_is_named(spoil: Callable[[Path], None], said: str, data: Path, tmp_path: Path) -> None:
    root = fake_runs.write(tmp_path / "run", data)
    spoil(root)
    with pytest.raises(UserError, match=said):
        Reader().read([root])


def test_a_run_is_not_read_twice(data: Path, tmp_path: Path) -> None:
    root = fake_runs.write(tmp_path / "run", data)
    with pytest.raises(ResultsError, match="given twice"):
        Reader().read([root, tmp_path / "other/../run"])


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"seed": 1}, "seed: another run has the seed 1 too"),
        ({"seed": 2, "unlearn": {"steps": 3}}, "unlearn.steps: 3, but None"),
        ({"seed": 2, "limits": {"retain": 2}}, "limits.retain: 2, but None"),
    ],
)
def test_runs_of_several_seeds_differ_in_nothing_else(
    keys: dict[str, object], said: str, data: Path, tmp_path: Path
) -> None:
    roots = [fake_runs.write(tmp_path / "a", data, seed=1), fake_runs.write(tmp_path / "b", data, **keys)]
    with pytest.raises(UserError, match=said):
        same_but_for_the_seed(Reader().read(roots))


def test_weights_and_place_of_the_data(data: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(data, copy)
    roots = [fake_runs.write(tmp_path / "a", data, seed=1), fake_runs.write(tmp_path / "b", copy, seed=2, name="b")]
    same_but_for_the_seed(Reader().read(roots))
    manifest = json.loads((roots[1] / "manifest.json").read_text())
    write_text(roots[1] / "manifest.json", json.dumps(manifest | {"model_weights": "sha256 1"}))
    with pytest.raises(ResultsError, match="model_weights: 'sha256 1', but 'sha256 0'"):
        same_but_for_the_seed(Reader().read(roots))
    write_text(roots[1] / "manifest.json", json.dumps(manifest | {"model_dtype": "bfloat16"}))
    with pytest.raises(ResultsError, match="model_dtype: 'bfloat16', but"):
        same_but_for_the_seed(Reader().read(roots))


@pytest.mark.parametrize(("wanted", "found"), [(None, None), ("a", "a@2"), ("a@1", "a@1"), ("b", "b@1"), ("c", None)])
def test_a_judge_is_chosen_by_name(wanted: str | None, found: str | None) -> None:
    judges = ("a@1", "a@2", "b@1")
    verdicts = [Verdict(example_id="x", sample=0, judge=name, axis=verdict("x").axis, value=1.0) for name in judges]
    if found:
        assert choose_judge(verdicts, wanted, "here") == found
        return
    with pytest.raises(ResultsError, match="a@1, a@2, b@1"):
        choose_judge(verdicts, wanted, "here")


def test_one_judge_needs_no_choice_and_none_is_an_error() -> None:
    assert choose_judge([verdict("x")], None, "here") == "j@1"
    assert choose_judge([verdict("x")], None, "here", usual="another") == "j@1"
    with pytest.raises(ResultsError, match=r"here: --judge: unknown judge 'jj@1'; did you mean 'j@1'"):
        choose_judge([verdict("x")], "jj@1", "here", usual="j")
    with pytest.raises(ResultsError, match="here: no verdicts"):
        choose_judge([], None, "here")


# --- answer files --------------------------------------------------------------------------------------------------


def answered(data: Path, place: Path, change: Callable[[list[small.Record]], object] = lambda _: None) -> Path:
    """The authors' answer file of the validation records: refusals, and retain answers that are half right."""
    records = small.load(data, "all_val.json")
    for record in records:
        for pair in record["unsafe_pairs"]:
            pair |= {f"model_response{number}": fake_runs.REFUSAL for number in (1, 2, 3)}
            pair["sd_response"] = fake_runs.REFUSAL
            del pair["model_response"]
        for key in (key for key in record if key.startswith("Unharm")):
            record[key]["Prediction"] = "This"
    change(records)
    path = place / "all_val.json"
    path.write_text(json.dumps(records))
    return path


def read(data: Path, path: Path) -> Judged:
    benchmark = released.read(data)
    found = read_answers(path, benchmark, Split.VALIDATION)
    examples = asked_in(benchmark, found.generations, Split.VALIDATION)
    judged, tally = judge_answers(rules_judge(benchmark.refusals), examples, found.generations, None)
    assert tally.judged_now == len(found.generations)
    return judged


def test_an_answer_file_is_judged_and_scored(data: Path, tmp_path: Path) -> None:
    judged = read(data, answered(data, tmp_path))
    rr, sarr = all_of(judged, "rr", "generality"), all_of(judged, "sarr", "decoupled")
    assert (rr.value, rr.n, rr.unscored) == (1, 24, 0)  # eight questions, three samples each
    assert (sarr.value, sarr.n) == (1, 8)
    printed = {column.measure.name: summarise("m", column) for column in judged.columns(PAPER) if column.group == "all"}
    assert printed["rouge_l"].value == pytest.approx(1 / 5)  # "This" of "This of validation 0, text1."
    assert list(without_own_answers(judged).answers) == list(judged.answers)


def test_questions_without_an_answer_stay_and_are_unscored(data: Path, tmp_path: Path) -> None:
    path = answered(data, tmp_path, lambda records: records[0]["unsafe_pairs"][0].pop("sd_response"))
    sarr = all_of(read(data, path), "sarr", "decoupled")
    assert (sarr.value, sarr.n, sarr.unscored) == (1, 7, 1)


def test_records_that_are_not_in_the_file_were_not_asked(data: Path, tmp_path: Path) -> None:
    sarr = all_of(read(data, answered(data, tmp_path, lambda records: records.pop())), "sarr", "decoupled")
    assert (sarr.n, sarr.unscored) == (4, 0)


def test_the_benchmark_s_own_answers_are_no_answers_of_the_model(data: Path, tmp_path: Path) -> None:
    """As if the safe picture of the first record had been missing: its four good answers would flatter SARR."""

    def leave(records: list[small.Record]) -> None:
        for pair, own in zip(records[0]["unsafe_pairs"], small.record("validation", 0)["unsafe_pairs"], strict=True):
            pair["sd_response"] = own["sd_response"]

    judged = read(data, answered(data, tmp_path, leave))
    assert all_of(judged, "sarr", "decoupled").value == 0.5
    kept = all_of(without_own_answers(judged), "sarr", "decoupled")
    assert (kept.value, kept.n, kept.unscored) == (1, 4, 4)


def test_one_answer_like_the_benchmark_s_is_the_model_s() -> None:
    examples = [example("r1", stream="retain", image="1.png"), example("r2", stream="retain", image="1.png")]
    answers = [generation("r1", answer="reference"), generation("r2", answer="other")]
    judged = Judged(examples, answers, [])
    assert without_own_answers(judged) == judged
    alone = Judged(examples[:1], [Generation(example_id="r1", sample=0, answer="reference", finish="stop")], [])
    assert without_own_answers(alone) == alone

"""Logs for Inspect, written and read back with its own library."""

from __future__ import annotations

import base64
import math
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from safeeraser.metrics.intervals import estimate
from safeeraser.runs.logs import Pictures, write
from safeeraser.text import whole_text
from tests.runs.logs import hostile, tiny_run

log_library = pytest.importorskip("inspect_ai.log")


def read(path: Path) -> Any:
    return log_library.read_eval_log(str(path), resolve_attachments=True)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("run")
    (written,) = write(tiny_run.write(root, methods=("po+pd",)), "inspect", root / "out")
    return written


@pytest.fixture(scope="module")
def log(file: Path) -> Any:
    return read(file)


def by_id(log: Any, id: str, epoch: int = 1) -> Any:
    return next(each for each in log.samples if (each.id, each.epoch) == (id, epoch))


def test_a_log_is_called_as_inspect_calls_its_own(file: Path, log: Any) -> None:
    assert file.name == f"2023-11-14T22-13-20_safeeraser_po-pd_{log.eval.eval_id}.eval"
    (listed,) = log_library.list_eval_logs(str(file.parent))
    assert (listed.task, listed.task_id) == ("safeeraser", log.eval.task_id)


def test_what_was_run(log: Any) -> None:
    assert (log.status, log.eval.task, log.eval.model) == ("success", "safeeraser", "o/m/po+pd")
    assert (log.eval.dataset.name, log.eval.dataset.samples, log.eval.config.epochs) == ("released", 6, 2)
    assert log.eval.metadata["judge"] == tiny_run.JUDGE
    assert log.eval.packages == {"safeeraser": "0.1.0", "transformers": "5.0"}
    assert (log.results.total_samples, log.results.completed_samples) == (7, 7)


def test_metrics_with_their_intervals(log: Any) -> None:
    scores = {each.name: each for each in log.results.scores}
    assert list(scores) == [
        *("unsafe", "refusal", "meaningless", "sarr", "beside", "kept", "partial", "rouge_l", "factual")
    ]
    asr = scores["unsafe"].metrics["asr_efficacy"]
    _, low, high = estimate([0.0, 1.0], "ab")
    assert asr.value == 0.5
    assert {key: asr.metadata[key] for key in ("low", "high", "n", "unscored")} == {
        "low": pytest.approx(low),
        "high": pytest.approx(high),
        "n": 2,
        "unscored": 0,
    }
    assert list(scores["refusal"].metrics) == [*("rr_efficacy", "rr_generality", "sarr_refusal_decoupled", "rr_retain")]
    nothing = scores["unsafe"].metrics["asr_generality"]
    assert math.isnan(nothing.value)
    assert (nothing.metadata["n"], nothing.metadata["unscored"]) == (0, 1)
    assert (scores["unsafe"].scored_samples, scores["unsafe"].unscored_samples) == (2, 1)
    assert log.results.metadata["intervals"]["efficacy"]["category=Weapon"]["rr"]["value"] == 1.0


def test_a_sample_with_its_picture_answer_and_scores(log: Any) -> None:
    sample = by_id(log, "efficacy-0000")
    picture, question = sample.input[0].content
    header, _, content = picture.image.partition(",")
    assert header == "data:image/jpeg;base64"
    assert Image.open(BytesIO(base64.b64decode(content))).size == (256, 128)
    assert question.text == "How, train/1/forget1?"
    assert [message.text for message in sample.messages[1:]] == ["I cannot help with that."]
    assert (sample.output.completion, sample.output.stop_reason) == ("I cannot help with that.", "stop")
    assert (sample.target, sample.metadata["example_id"]) == ("Like so.", "train/1/forget1")
    assert (sample.metadata["part"], sample.metadata["picture"]) == ("efficacy", "img/grey.png")
    assert {name: (score.value, score.explanation) for name, score in sample.scores.items()} == {
        "unsafe": (0.0, "refuses"),
        "refusal": (1.0, "refuses"),
        "meaningless": (0.0, None),
    }


def test_what_is_not_scored_says_so(log: Any) -> None:
    score = by_id(log, "generality-0000").scores["unsafe"]
    assert math.isnan(score.value)
    assert (score.reason, score.explanation) == ("unparsed", "the judge said maybe")
    unjudged = by_id(log, "retain-0001").scores["factual"]
    assert (math.isnan(unjudged.value), unjudged.reason) == (True, "not_judged")


def test_answers_to_one_question_are_its_epochs(log: Any) -> None:
    assert [by_id(log, "decoupled-0000", epoch).scores["sarr"].value for epoch in (1, 2)] == [0.0, 1.0]


def test_pictures_as_they_are_or_by_their_path(tmp_path: Path) -> None:
    run = tiny_run.write(tmp_path)
    shown = {}
    for kind in (Pictures.ORIGINALS, Pictures.PATHS):
        (file,) = write(run, "inspect", tmp_path / kind, pictures=kind)
        shown[kind] = by_id(read(file), "efficacy-0000").input[0].content[0].image
    content = base64.b64encode((tmp_path / "data/img/grey.png").read_bytes()).decode()
    assert shown == {Pictures.ORIGINALS: f"data:image/png;base64,{content}", Pictures.PATHS: "img/grey.png"}


def test_a_picture_that_is_gone_is_named(tmp_path: Path) -> None:
    run = tiny_run.write(tmp_path)
    (tmp_path / "data/img/grey.png").unlink()
    (file,) = write(run, "inspect", tmp_path / "out")
    note, question = by_id(read(file), "efficacy-0000").input[0].content
    assert note.text == "[img/grey.png: cannot be read: No such file or directory]"
    assert question.text == "How, train/1/forget1?"


def test_answers_stay_text(tmp_path: Path) -> None:
    texts = list(hostile.TEXTS.values())
    (file,) = write(
        tiny_run.write(
            tmp_path,
            generate={"temperature": 1.0, "samples": len(texts)},
            answers=[("train/1/forget1", sample, text) for sample, text in enumerate(texts)],
        ),
        "inspect",
        tmp_path / "out",
    )
    log = read(file)
    for sample, text in enumerate(texts):
        read_back = by_id(log, "efficacy-0000", sample + 1).output.completion
        assert read_back == whole_text(text)
    never = by_id(log, "efficacy-0001")
    assert (never.output.error, never.output.choices) == ("(not answered)", [])


def test_the_same_results_replace_their_log(tmp_path: Path) -> None:
    run = tiny_run.write(tmp_path)
    (first,) = write(run, "inspect", tmp_path / "out")
    before = read(first).model_dump(exclude={"location"})
    (second,) = write(run, "inspect", tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == [first.name]
    again = read(second).model_dump(exclude={"location"})
    assert repr(again) == repr(before)  # not a number is not equal to itself
    (other,) = write(tiny_run.write(tmp_path / "b", tiny_run.ANSWERS[1:]), "inspect", tmp_path / "out")
    assert other.name != first.name

"""What lmms-eval needs of a model, and the command that runs it: on a local task, with a random model."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import lmms_eval
import pytest
import tenacity
import torch
from lmms_eval import evaluator
from lmms_eval.api.instance import Instance, unwrap_generation_output
from lmms_eval.api.model import lmms
from lmms_eval.tasks import TaskManager
from PIL import Image
from typer.testing import CliRunner

from safeeraser.cli import app
from safeeraser.errors import UserError
from safeeraser.files import owned
from safeeraser.generation.engine import Engine
from safeeraser.generation.settings import GenerateSettings, Request
from safeeraser.models.chat import ChatTokenizer
from safeeraser.models.load import LoadedModel, load
from safeeraser.specificity import TASKS, SpecificitySettings, evaluate, extra, find, plugin
from safeeraser.specificity.model import SafeEraserModel
from tests import tiny_random
from tests.runs.pipeline import world
from tests.runs.pipeline.world import World

COLOURS = {"red": (200, 10, 10), "blue": (10, 10, 200)}  # of the task's pictures
KEYWORDS = {"max_new_tokens": 6, "temperature": 0, "do_sample": False, "until": ["\n\n"]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return world.write_model(tmp_path_factory.mktemp("specificity") / "model")


@pytest.fixture
def model(folder: Path) -> Any:
    return SafeEraserModel(str(folder), batch_size=2, dtype="float32")


def request(model: Any, number: int, text: str, pictures: list[Any], argument: Any = KEYWORDS) -> Any:
    model.task_dict.setdefault("t", {"test": {}})["test"][number] = pictures
    arguments = (text, argument, lambda document: document, number, "t", "test")
    kind = "generate_until" if isinstance(argument, dict) else "loglikelihood"
    return Instance(
        request_type=kind, arguments=arguments, idx=0, metadata={"task": "t", "doc_id": number, "repeats": 1}
    )


def test_answers_are_those_of_generate(model: Any, folder: Path, tmp_path: Path) -> None:
    examples = tiny_random.examples(tmp_path, records=2)
    requests = []
    for number, example in enumerate(examples):
        pictures = [Image.open(example.image)] if example.image else []
        requests.append(request(model, number, example.question, pictures))
    engine = Engine(load(str(folder), dtype="float32"), GenerateSettings(max_new_tokens=6))
    theirs = [engine.answer([Request(example, 0)])[0].answer for example in examples]
    assert model.generate_until(requests) == theirs
    assert len(set(theirs)) > 1


@pytest.mark.parametrize("given", [{"seed": 2**32}, {"seed": "x"}, {"batch_size": "auto"}])
def test_arguments_are_checked_before_the_model_is_loaded(given: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=f"^{next(iter(given))}: "):
        SafeEraserModel("no such model", **given)


def test_answers_end_at_the_task_s_stops(model: Any) -> None:
    (whole,) = model.generate_until([request(model, 0, "What is it?", [])])
    stop = whole[2]
    (cut,) = model.generate_until([request(model, 0, "What is it?", [], KEYWORDS | {"until": stop})])
    assert cut == whole[: whole.index(stop)]


def test_losses_are_sums_over_the_continuation(model: Any, folder: Path) -> None:
    """By hand, one text at a time, without the end of the turn; what the model would say first is greedy."""
    loaded = load(str(folder), dtype="float32")
    question, letter = greedy_letter(loaded)
    texts = [" A kettle", letter, f"{letter}{letter}~~"]
    found = losses(model, [request(model, 0, question, [], text) for text in texts])
    for text, (loss, _) in zip(texts, found, strict=True):
        chat = ChatTokenizer.of(loaded).answered(question, None, text.lstrip())
        logits = logprobs(loaded, chat.ids)
        places = range(chat.prompt_length, len(chat.ids) - 1)
        assert -loss == pytest.approx(sum(float(logits[at - 1, chat.ids[at]]) for at in places), abs=1e-3)
    assert [greedy for _, greedy in found] == [False, True, False]
    from_document = request(model, 1, question, [], lambda _: "A kettle")
    assert losses(model, [from_document])[0] == pytest.approx(found[0], abs=1e-3)


def losses(model: Any, requests: list[Any]) -> list[tuple[float, bool]]:
    """As lmms-eval takes them: a loss is what it calls a likelihood."""
    return [unwrap_generation_output(each)[0] for each in model.loglikelihood(requests)]


def logprobs(loaded: LoadedModel, ids: Sequence[int]) -> torch.Tensor:
    with torch.inference_mode():
        logits: torch.Tensor = loaded.model(input_ids=torch.tensor([list(ids)])).logits[0].float().log_softmax(-1)
    return logits


def greedy_letter(loaded: LoadedModel) -> tuple[str, str]:
    """A question that the random model begins to answer with a printable letter, and that letter."""
    chat = ChatTokenizer.of(loaded)
    for question in (f"What of {number}?" for number in range(100)):
        first = int(logprobs(loaded, chat.prompt(question, None).ids)[-1].argmax())
        text = chat.tokenizer.decode([first])
        if first not in chat.end_of_turn and len(text) == 1 and text.isascii() and text.isalnum():
            return question, text
    raise AssertionError("no question begins with a letter")


def test_a_picture_changes_what_is_likely(model: Any) -> None:
    red, blue = (Image.new("RGB", (28, 28), colour) for colour in ("red", "blue"))
    requests = [request(model, number, "What?", pictures, "red") for number, pictures in enumerate([[red], [blue], []])]
    assert len({round(loss, 4) for loss, _ in losses(model, requests)}) == 3


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda m: m.generate_until([request(m, 0, "?", [Image.new("RGB", (28, 28))] * 2)]), "more than one picture"),
        (lambda m: m.generate_until([request(m, 0, "?", ["film.mp4"])]), "something else than a picture"),
        (lambda m: m.generate_until([request(m, 0, "?", [], {"num_beams": 4})]), "beam search"),
        (lambda m: m.generate_until_multi_round([request(m, 0, "?", [])]), "several rounds"),
        (lambda m: type(m)("x", pretrained="y"), "unknown pretrained"),
    ],
)
def test_what_is_not_offered_is_said(ask: Callable[[Any], object], said: str, model: Any) -> None:
    with pytest.raises(UserError, match=said):
        ask(model)


def test_lmms_eval_finds_the_class(model: Any) -> None:
    manifest = plugin.manifest()
    module, _, name = manifest.simple_class_path.rpartition(".")
    assert manifest.model_id == "safeeraser"
    assert (module, name) == (type(model).__module__, type(model).__name__)
    assert isinstance(model, lmms)
    assert model.is_simple


def test_both_models_are_scored_and_nothing_twice(
    finished: World, task: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapters = {"vanilla": None, "po": finished.folder / "run/models/po/adapter"}
    settings = SpecificitySettings(model=str(finished.model), include=task, batch_size=2)
    found = evaluate(adapters, find(["colours"]), settings, tmp_path / "out")
    assert [score.n for score in found["vanilla"]] == [3]
    assert {doc for score in found["po"] for doc in score.each} == {0, 1, 2}
    kept = json.loads((tmp_path / "out/po/colours.json").read_text())
    assert kept["report"]["results"]["colours"]["exact_match,none"] == found["po"][0].value
    monkeypatch.setattr(evaluator, "simple_evaluate", lambda **_: pytest.fail("asked again"))
    assert evaluate(adapters, find(["colours"]), settings, tmp_path / "out") == found
    other = SpecificitySettings(model=str(finished.model), include=task, limit=1)
    with pytest.raises(UserError, match=r"colours\.json: made with"):
        evaluate(adapters, find(["colours"]), other, tmp_path / "out")
    (tmp_path / "out/po/colours.json").write_text("{")
    with pytest.raises(UserError, match="not a report"):
        evaluate(adapters, find(["colours"]), settings, tmp_path / "out")


def test_the_likeliest_choice_is_the_answer(folder: Path, task: Path, tmp_path: Path) -> None:
    """Question by question, by the model's own losses."""
    model = SafeEraserModel(str(folder), batch_size=2)
    chosen = {}
    for number, doc in enumerate(map(json.loads, (task / "docs.jsonl").read_text().splitlines())):
        picture = [Image.new("RGB", (28, 28), COLOURS[doc["answer"]])] if doc["pictured"] else []
        asked = [request(model, number, doc["question"], picture, f" {choice}") for choice in doc["choices"]]
        found = [loss for loss, _ in losses(model, asked)]
        chosen[number] = float(doc["choices"][found.index(min(found))] == doc["answer"])
    settings = SpecificitySettings(model=str(folder), include=task, batch_size=2)
    (made,) = evaluate({"vanilla": None}, find(["colours_choice"]), settings, tmp_path)["vanilla"]
    assert made.each == chosen


def test_only_so_many_documents(folder: Path, task: Path, tmp_path: Path) -> None:
    settings = SpecificitySettings(model=str(folder), include=task, limit=2)
    (made,) = evaluate({"vanilla": None}, find(["colours"]), settings, tmp_path)["vanilla"]
    assert (made.n, sorted(made.each)) == (2, [0, 1])


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("colour", "lmms-eval has no task colour; did you mean colours.*--include-path"),
        ("colours_all", "colours_all: a group of lmms-eval's tasks"),
    ],
)
def test_what_is_no_task(name: str, said: str, folder: Path, task: Path, tmp_path: Path) -> None:
    settings = SpecificitySettings(model=str(folder), include=task)
    with pytest.raises(UserError, match=said):
        evaluate({"vanilla": None}, find(["colours", name]), settings, tmp_path)
    assert list(tmp_path.glob("vanilla/*")) == []


def test_no_folder_of_tasks(folder: Path, tmp_path: Path) -> None:
    settings = SpecificitySettings(model=str(folder), include=tmp_path / "tasks")
    with pytest.raises(UserError, match="tasks: no such folder"):
        evaluate({"vanilla": None}, find(["colours"]), settings, tmp_path)


def test_no_key_for_the_judge_of_a_task(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(UserError, match=r"mmvet, mmbench_en_dev: .*OPENAI_API_KEY, which is not set"):
        evaluate({"vanilla": None}, find(["gqa", "mmvet", "mmbench"]), SpecificitySettings(model=str(folder)), tmp_path)


def test_a_changed_task_is_not_taken_for_the_old_one(
    folder: Path, task: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = shutil.copytree(task, tmp_path / "own")
    monkeypatch.chdir(own)
    settings = SpecificitySettings(model=str(folder), include=own, limit=1)
    evaluate({"vanilla": None}, find(["colours"]), settings, tmp_path / "out")
    file = own / "colours.yaml"
    file.write_text(file.read_text().replace("max_new_tokens: 4", "max_new_tokens: 5"))
    with pytest.raises(UserError, match="made with"):
        evaluate({"vanilla": None}, find(["colours"]), settings, tmp_path / "out")


def test_a_folder_is_of_one_model_and_one_process(folder: Path, task: Path, tmp_path: Path) -> None:
    """Other weights in the model's folder are another model."""
    own = shutil.copytree(folder, tmp_path / "model")
    settings = SpecificitySettings(model=str(own), include=task, limit=1)
    with owned(tmp_path / "out"), pytest.raises(UserError, match="is at work here"):
        evaluate({"vanilla": None}, find(["colours"]), settings, tmp_path / "out")
    evaluate({"vanilla": None}, find(["colours"]), settings, tmp_path / "out")
    with (own / "model.safetensors").open("ab") as file:
        file.write(b" ")
    with pytest.raises(UserError, match="the model's files have changed"):
        evaluate({"vanilla": None}, find(["colours"]), settings, tmp_path / "out")


def test_what_lmms_eval_hides_in_a_retry_is_shown(
    folder: Path, task: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @tenacity.retry(stop=tenacity.stop_after_attempt(1))
    def fails(**_: object) -> None:
        raise ConnectionError("the Hub is not there")

    monkeypatch.setattr(evaluator, "simple_evaluate", fails)
    settings = SpecificitySettings(model=str(folder), include=task)
    with pytest.raises(ConnectionError, match="the Hub is not there"):
        evaluate({"vanilla": None}, find(["colours"]), settings, tmp_path)


@pytest.mark.skipif("harness" in str(lmms_eval.__file__), reason="the stand-in has no tasks of its own")
def test_the_paper_s_seven_are_tasks_of_lmms_eval_and_have_these_metrics() -> None:
    index = TaskManager(include_path=None, model_name=plugin.NAME).task_index
    for task in TASKS.values():
        assert index[task.name]["type"] == "task"
        file = Path(index[task.name]["yaml_path"])
        assert f"metric: {task.metric}" in file.read_text()


def test_the_command_prints_both_side_by_side(finished: World, task: Path, tmp_path: Path) -> None:
    adapter = finished.folder / "run/models/po/adapter"
    options = ["--model", finished.model, "--adapter", adapter, "--tasks", "colours", "--include-path", task]
    arguments = ["specificity", *options, "--output", tmp_path / "out"]
    result = CliRunner().invoke(app, [str(each) for each in arguments], prog_name="safeeraser")
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["n", "vanilla", "po"] in lines
    assert any(line[:4] == ["colours", "(exact_match)", "↑", "3"] for line in lines)


def test_without_the_extra_the_line_that_installs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extra, "find_spec", lambda _: None)
    result = CliRunner().invoke(app, ["specificity", "--output", str(tmp_path)], prog_name="safeeraser")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "pip install 'safeeraser[specificity]'" in result.stderr

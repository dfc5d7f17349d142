"""What a result depends on is known by its content: whatever changes under its name is noticed, and what moves is not.

And a file or folder has one writer; what two have left in it is mended.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from safeeraser.cli import app
from safeeraser.errors import UserError
from safeeraser.files import owned
from tests.benchmarks import small
from tests.runs.pipeline import world
from tests.runs.pipeline.world import World, contents, untimed


@dataclass(frozen=True)
class Place:
    """Model, adapter and data in a folder of their own, to be changed."""

    folder: Path
    model: Path
    adapter: Path
    data: Path

    def words(self, command: str) -> list[str]:
        """The command over the place's files, with its output in the folder."""
        common = [command, "--data", self.data, "--output", self.folder / command]
        asking = ["--part", "efficacy", "--limit", 2, "--model", self.model, "--adapter", self.adapter]
        rest = {
            "generate": [*asking, "max_new_tokens=2"],
            "likelihood": asking,
            "evaluate": [*asking, "generate.max_new_tokens=2"],
            "unlearn": ["--method", "po", "--model", self.model, "steps=1", "batch_size=2", "lora_r=2"],
        }
        return [str(word) for word in (*common, *rest[command])]


@pytest.fixture
def place(finished: World, tmp_path: Path) -> Place:
    found = Place(tmp_path, tmp_path / "model", tmp_path / "adapter", tmp_path / "data")
    for source, target in [
        (finished.model, found.model),
        (finished.folder / "run" / "models" / "po" / "adapter", found.adapter),
        (finished.data, found.data),
    ]:
        shutil.copytree(source, target)
    return found


def ended(*words: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(word) for word in words], prog_name="safeeraser")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stderr


def overwrite_model(place: Place) -> None:
    shutil.rmtree(place.model)
    world.write_model(place.model, seed=1)


def edit_tokenizer(place: Place) -> None:
    path = place.model / "chat_template.jinja"
    path.write_text(path.read_text() + "{# changed #}")


def overwrite_adapter(place: Place) -> None:
    config = place.adapter / "adapter_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"lora_alpha": 3}))


def overwrite_pictures(place: Place) -> None:
    for path in place.data.rglob("*.png"):
        small.draw(path, seed=f"other {path.name}")


def edit_question(place: Place) -> None:
    path = place.data / "dataset" / "all_train.json"
    path.write_text(path.read_text().replace("How is this used", "How is that used"))


CHANGES: dict[str, tuple[Callable[[Place], None], str]] = {
    "model": (overwrite_model, "the model's files have changed"),
    "template": (edit_tokenizer, "the model's files have changed"),
    "adapter": (overwrite_adapter, "the adapter's files have changed"),
    "pictures": (overwrite_pictures, "pictures have changed under their names"),
    "question": (edit_question, "made from other examples"),
}


OTHER_WORDS = {
    ("model", ""): "made for another base model",
    ("question", "unlearn"): "the data have changed",
    ("question", "evaluate"): "data: this run was made from other content",
    ("pictures", "evaluate"): "data: this run was made from other content",
}
"""What is said where another check comes first."""


@pytest.mark.parametrize("command", ["generate", "likelihood", "evaluate", "unlearn"])
def test_what_changed_under_its_name_is_noticed(place: Place, command: str) -> None:
    assert ended(*place.words(command))[0] == 0
    before = contents(place.folder)
    for name, (change, said) in CHANGES.items():
        if name == "adapter" and command == "unlearn":
            continue
        originals = (place.model, place.adapter, place.data)
        kept = {each: shutil.copytree(each, place.folder / f"kept-{each.name}") for each in originals}
        change(place)
        code, message = ended(*place.words(command))
        others = OTHER_WORDS.get((name, command), OTHER_WORDS.get((name, ""), said))
        assert (code, any(each in " ".join(message.split()) for each in (said, others))) == (2, True), message
        for each, copy in kept.items():
            shutil.rmtree(each)
            copy.rename(each)
    assert contents(place.folder) == before
    assert ended(*place.words(command))[0] == 0


def test_what_was_moved_or_is_spelt_otherwise_is_the_same(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ended(*place.words("generate"))[0] == 0
    before = (place.folder / "generate").read_bytes()
    monkeypatch.chdir(place.folder)
    place.model.rename(place.folder / "moved")
    place.adapter.rename(place.folder / "put")
    words = ["generate", "--data", "./data", "--output", "../" + place.folder.name + "/generate", "max_new_tokens=2"]
    asking = ["--part", "efficacy", "--limit", 2, "--model", "./moved", "--adapter", "moved/../put"]
    assert ended(*words, *asking)[0] == 0
    assert (place.folder / "generate").read_bytes() == before


@pytest.mark.parametrize("field", ["question", "keyword", "model_response"])
def test_a_judge_judges_again_what_it_was_told_otherwise(finished: World, tmp_path: Path, field: str) -> None:
    data = shutil.copytree(finished.data, tmp_path / "data")
    words = ["judge", "--data", data, "--generations", finished.folder / "run" / "generations" / "po.jsonl"]
    words += ["--output", tmp_path / "verdicts.jsonl"]
    assert "16 of 16" in ended(*words)[1]
    assert "0 of 16" in ended(*words)[1]
    path = data / "dataset" / "all_train.json"
    records = json.loads(path.read_text())
    for record in records:
        record["keyword"] += " changed" if field == "keyword" else ""
        for pair in record["unsafe_pairs"]:
            pair[field] = pair.get(field, "") + " changed"
            if field == "keyword":
                del pair[field]
    path.write_text(json.dumps(records))
    assert "4 of 16" in ended(*words)[1]  # those about training pictures


def test_a_run_notices_another_adapter_in_its_folder(finished: World, tmp_path: Path) -> None:
    run = shutil.copytree(finished.folder / "run", tmp_path / "run")
    overwrite_adapter(Place(run, finished.model, run / "models" / "po" / "adapter", finished.data))
    with pytest.raises(UserError, match=r"po\.jsonl: .*adapter's files have changed"):
        finished.run(f"output={run}")


# --- one writer -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["generate", "likelihood", "evaluate", "unlearn"])
def test_who_comes_second_is_told_who_is_at_work(place: Place, command: str) -> None:
    (place.folder / "link").symlink_to(place.folder)
    with owned(place.folder / "link" / command):
        code, message = ended(*place.words(command))
    assert code == 2
    assert f"process {os.getpid()} on " in message
    assert "since 20" in message
    assert ended(*place.words(command))[0] == 0


def test_a_run_and_a_judge_have_one_owner(finished: World, tmp_path: Path) -> None:
    run = shutil.copytree(finished.folder / "run", tmp_path / "run")
    before = contents(run)
    with owned(run), pytest.raises(UserError, match="at work here"):
        finished.run(f"output={run}")
    judging = ["judge", "--data", finished.data, "--generations", run / "generations" / "po.jsonl"]
    with owned(tmp_path / "verdicts.jsonl"):
        assert ended(*judging, "--output", tmp_path / "verdicts.jsonl")[0] == 2
    assert contents(run) == before


def _die(place: Path) -> None:
    owned(place).__enter__()
    os.kill(os.getpid(), signal.SIGKILL)


def test_the_lock_of_a_dead_owner_is_taken_over(tmp_path: Path) -> None:
    process = multiprocessing.get_context("fork").Process(target=_die, args=(tmp_path / "place",))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    with owned(tmp_path / "place"), pytest.raises(UserError, match=f"process {os.getpid()}"), owned(tmp_path / "place"):
        pass


# --- what an older version spoilt -----------------------------------------------------------------------------------


@pytest.mark.parametrize("other", [False, True], ids=["equal", "different"])
def test_answers_that_stand_twice_are_mended(finished: World, tmp_path: Path, other: bool) -> None:
    run = shutil.copytree(finished.folder / "run", tmp_path / "run")
    before = untimed(contents(run))
    answers, verdicts = run / "generations" / "po.jsonl", run / "verdicts" / "po.jsonl"
    lines = answers.read_text().splitlines(keepends=True)
    twice = [line.replace('"answer": "', '"answer": "not ') if other else line for line in lines[:3]]
    answers.write_text("".join([*lines, *twice]))
    verdicts.write_text(verdicts.read_text() * 2)
    judging = ["judge", "--data", finished.data, "--generations", answers, "--output", tmp_path / "verdicts.jsonl"]
    code, message = ended(*judging)
    assert (code, "two answers to" in message) == ((2, True) if other else (0, False))
    finished.run(f"output={run}")
    assert contents(run).keys() == before.keys()
    assert {name for name, content in untimed(contents(run)).items() if content != before[name]} <= {"manifest.json"}

"""What is measured of a model while it is trained: the curve, what it chooses, and that it survives a stop."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from safeeraser import objectives
from safeeraser.benchmarks.benchmark import Benchmark
from safeeraser.errors import DiskError, UserError
from safeeraser.generation.settings import GenerateSettings
from safeeraser.judges.table import settings as judge_settings
from safeeraser.models.load import LoadedModel
from safeeraser.records import Axis, Example, Split
from safeeraser.runs.curves import Curve
from safeeraser.unlearning.output import Output
from safeeraser.unlearning.run import unlearn
from safeeraser.unlearning.settings import UnlearnSettings
from tests import tiny_random
from tests.interruption import interrupted_at

SETTINGS = UnlearnSettings(
    steps=8, batch_size=2, learning_rate=1e-2, lora_r=2, lora_alpha=4, eval_steps=2, eval_rows=2, eval_questions=2
)


@dataclass
class Fake:
    """Measures what it is told to, one after the other; notes what it was given."""

    objectives: list[float]
    heard: list[tuple[int, float]] = field(default_factory=list)
    before: list[Any] = field(default_factory=list)
    training: list[bool] = field(default_factory=list)
    identity: Mapping[str, Any] = field(default_factory=lambda: {"questions": "none"})

    def measure(self, loaded: LoadedModel, before: Mapping[str, float] | None) -> dict[str, float]:
        self.before.append(before and dict(before))
        self.training.append(loaded.model.training)
        return {"rr": 0.5, "objective": self.objectives.pop(0)}

    def told(self, step: int, objective: float) -> None:
        self.heard.append((step, objective))


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> list[Example]:
    made = tiny_random.examples(tmp_path_factory.mktemp("pictures"), 4)
    held = [
        replace(each, id=f"s{each.id}", split=Split.SELECTION, partner=each.partner and f"s{each.partner}")
        for each in made
    ]
    return [*made, *held]


def train(examples: list[Example], folder: Path, watch: Any, **changes: Any) -> Path:
    settings = SETTINGS.changed(**changes)
    return unlearn(tiny_random.load(), examples, tiny_random.REFUSALS, "po+pd", settings, folder, watch)


def no_room_left(*_: Any) -> None:
    raise DiskError("no space left on device")


def entries(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "loss.jsonl").read_text().splitlines()]


def curve(examples: list[Example], **changes: Any) -> Curve:
    benchmark = Benchmark("small", Path(), tuple(examples), tiny_random.REFUSALS, (), "")
    judge = judge_settings("rules").make(tiny_random.REFUSALS)
    answers = GenerateSettings(max_new_tokens=3, batch_size=4)
    found = Curve.of(benchmark, judge, objectives.find("po+pd"), SETTINGS.changed(**changes), answers)
    assert found is not None
    return found


def test_the_best_adapter_and_patience_go_by_the_objective(examples: list[Example], tmp_path: Path) -> None:
    watch = Fake([0.1, 0.2, 0.6, 0.6, 0.5])
    train(examples, tmp_path / "run", watch, patience=2)
    assert watch.heard == [(2, 0.2), (4, 0.6), (6, 0.6), (8, 0.5)]
    assert watch.before == [None, *[{"rr": 0.5, "objective": 0.1}] * 4]
    assert not any(watch.training)
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert (manifest["best_step"], manifest["objective"]) == (4, 0.6)
    points = {each["step"]: each["objective"] for each in entries(tmp_path / "run") if "objective" in each}
    assert points == {0: 0.1, 2: 0.2, 4: 0.6, 6: 0.6, 8: 0.5}
    impatient = Fake([0.1, 0.2, 0.2, 0.9])
    train(examples, tmp_path / "impatient", impatient, patience=1)
    assert json.loads((tmp_path / "impatient" / "manifest.json").read_text())["steps"] == 4


def test_what_the_judge_does_not_judge_is_not_left_out_of_the_objective(
    examples: list[Example], tmp_path: Path
) -> None:
    made = curve(examples)
    whole = made.judge.opinions
    less = replace(
        made.judge,
        axes=frozenset(Axis) - {Axis.FACTUAL},
        opinions=lambda asked: ([each for each in found if each.axis is not Axis.FACTUAL] for found in whole(asked)),
    )
    with pytest.raises(UserError, match=r"no answer for kept, retain, which it does not judge: .*unlearn\.objective"):
        train(examples, tmp_path / "run", replace(made, judge=less))
    train(examples, tmp_path / "run", replace(made, judge=less, wanted=("rr", "sarr")))


def test_what_hears_of_a_point_can_end_the_training(examples: list[Example], tmp_path: Path) -> None:
    class _Enough(Exception):
        pass

    class _Strict(Fake):
        def told(self, step: int, objective: float) -> None:
            super().told(step, objective)
            if objective < 0.1:
                raise _Enough

    watch = _Strict([0.5, 0.5, 0.0])
    with pytest.raises(_Enough):
        train(examples, tmp_path / "run", watch)
    assert entries(tmp_path / "run")[-1] | {"step": 4, "objective": 0.0} == entries(tmp_path / "run")[-1]
    assert not (tmp_path / "run" / "adapter").exists()


def test_a_curve_goes_on_where_it_was_stopped(examples: list[Example], tmp_path: Path) -> None:
    train(examples, tmp_path / "straight", curve(examples))
    with interrupted_at(5):
        train(examples, tmp_path / "stopped", curve(examples))
    again = curve(examples)
    heard: list[int] = []
    again.told = lambda step, _: heard.append(step)
    train(examples, tmp_path / "stopped", again)
    assert heard == [2, 4, 6, 8]
    for name in ("loss.jsonl", "adapter/adapter_model.safetensors"):
        assert (tmp_path / "straight" / name).read_bytes() == (tmp_path / "stopped" / name).read_bytes()


def test_the_best_adapter_is_found_where_a_stopped_training_was_moved(
    examples: list[Example], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(examples, tmp_path / "straight", Fake([0.1, 0.2, 0.6, 0.6, 0.5]))
    monkeypatch.setattr(Output, "finish", no_room_left)
    with pytest.raises(DiskError):
        train(examples, tmp_path / "stopped", Fake([0.1, 0.2, 0.6, 0.6, 0.5]))
    monkeypatch.undo()
    (tmp_path / "stopped").rename(tmp_path / "moved")
    train(examples, tmp_path / "moved", Fake([]))
    for name in ("loss.jsonl", "adapter/adapter_model.safetensors"):
        assert (tmp_path / "straight" / name).read_bytes() == (tmp_path / "moved" / name).read_bytes()


def test_watching_changes_nothing_in_training(examples: list[Example], tmp_path: Path) -> None:
    train(examples, tmp_path / "plain", None, eval_steps=None, lora_dropout=0.2)
    train(examples, tmp_path / "watched", curve(examples), lora_dropout=0.2)
    losses = [[each["loss"] for each in entries(tmp_path / name) if "loss" in each] for name in ("plain", "watched")]
    assert losses[0] == losses[1]


def test_a_curve_asks_the_selection_part_and_never_validation(examples: list[Example]) -> None:
    validation = [replace(each, id=f"v{each.id}", split=Split.VALIDATION, partner=None) for each in examples[:4]]
    asked = curve([*examples, *validation]).examples
    assert {each.id[0] for each in asked} == {"s"}
    assert len(asked) == 6
    assert (
        Curve.of(
            Benchmark("small", Path(), tuple(examples), (), (), ""),
            judge_settings("rules").make(()),
            objectives.find("po"),
            SETTINGS.changed(eval_questions=0),
            GenerateSettings(),
        )
        is None
    )


def test_figures_and_margins_of_a_curve(examples: list[Example]) -> None:
    """A model of random weights answers nothing well, so that its figures say what the judge does."""
    found = curve(examples).measure(tiny_random.load(), {"rr": 0.0, "sarr": 0.0, "kept": 0.5, "retain": 0.5})
    assert set(found) == {"asr", "rr", "sarr", "kept", "retain", "margin_harmful", "margin_safe", "objective"}
    assert found["objective"] == min(found["rr"], 1 - found["sarr"], found["kept"] / 0.5, found["retain"] / 0.5)


def test_what_the_model_had_nothing_of_is_named(
    examples: list[Example], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    train(examples, tmp_path / "run", curve(examples))
    told = [each for each in caplog.messages if "could be kept" in each]
    assert told == ["curve: the model before unlearning has no kept or retain that could be kept: left out"]

"""When training ends before its last step, and which adapter is kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from safeeraser.errors import UserError
from safeeraser.records import Example, Split
from safeeraser.unlearning.run import unlearn
from safeeraser.unlearning.settings import UnlearnSettings
from tests import tiny_random
from tests.interruption import interrupted_at

SETTINGS = UnlearnSettings(
    steps=12, batch_size=4, learning_rate=1e-2, lora_r=4, lora_alpha=8, lora_dropout=0.0, warmup_ratio=0.0
)
WITHOUT_SELECTION = SETTINGS.changed(eval_steps=2)
Train = Callable[..., Path]


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> list[Example]:
    return tiny_random.examples(tmp_path_factory.mktemp("pictures"))


@pytest.fixture
def train(examples: list[Example], tmp_path: Path) -> Train:
    def run(settings: UnlearnSettings, method: str = "gd", name: str = "run", selection: bool = True) -> Path:
        chosen = [replace(each, split=Split.SELECTION) for each in examples if selection]
        return unlearn(
            tiny_random.load(), [*examples, *chosen], tiny_random.REFUSALS, method, settings, tmp_path / name
        )

    return run


def manifest(adapter: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((adapter.parent / "manifest.json").read_text())
    return found


def log(adapter: Path, key: str) -> dict[int, float]:
    entries = [json.loads(line) for line in (adapter.parent / "loss.jsonl").read_text().splitlines()]
    return {entry["step"]: entry[key] for entry in entries if key in entry}


def test_ascent_stops_where_it_has_gone_far_enough(train: Train) -> None:
    free = train(SETTINGS, name="free")
    nll = log(free, "forget_nll")
    limit = sorted(nll.values())[6]
    bounded = train(SETTINGS.changed(stop_forget_nll=limit), name="bounded")
    stop = next(step for step, value in nll.items() if value > limit)
    assert stop < 12
    assert log(bounded, "forget_nll") == {step: value for step, value in nll.items() if step <= stop}
    assert (manifest(bounded)["steps"], manifest(bounded)["stopped_early"]) == (stop, True)
    assert (manifest(free)["steps"], manifest(free)["stopped_early"]) == (12, False)


def test_a_method_without_harmful_answers_has_no_such_limit(train: Train, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="po has no term on the harmful answers: stop_forget_nll has nothing to watch"):
        train(SETTINGS.changed(stop_forget_nll=3.0), method="po")
    assert not (tmp_path / "run").exists()


def test_the_best_adapter_is_kept(train: Train) -> None:
    """The rate is so high that the loss of the selection rows is at its lowest before the end."""
    rough = SETTINGS.changed(learning_rate=0.1, lr_scheduler="constant", eval_steps=2, eval_rows=4)
    adapter = train(rough, method="po")
    losses = log(adapter, "selection_loss")
    assert list(losses) == [2, 4, 6, 8, 10, 12]
    best = min(losses, key=losses.__getitem__)
    assert best < 12
    assert (manifest(adapter)["best_step"], manifest(adapter)["selection_loss"]) == (best, losses[best])
    weights = load_file(adapter / "adapter_model.safetensors")
    reached = train(rough.changed(patience=1), method="po", name="patient")
    assert manifest(reached)["steps"] <= best + 2
    if manifest(reached)["best_step"] == best:
        again = load_file(reached / "adapter_model.safetensors")
        assert all((again[name] == value).all() for name, value in weights.items())


def test_evaluating_changes_nothing_in_training(train: Train) -> None:
    plain, watched = train(SETTINGS, name="plain"), train(SETTINGS.changed(eval_steps=3), name="watched")
    assert log(watched, "loss") == log(plain, "loss")


def test_selection_rows_are_measured_as_rows_of_training_are(train: Train) -> None:
    """After a step that changes next to nothing the loss on the same rows is the one of training."""
    settings = SETTINGS.changed(steps=1, learning_rate=1e-12, eval_steps=1, eval_rows=4)
    adapter = train(settings, method="po+pd")
    assert log(adapter, "selection_loss")[1] == pytest.approx(log(adapter, "loss")[1], rel=1e-5)


def test_a_step_in_which_nothing_is_learned_is_neither_kept_nor_the_last(train: Train) -> None:
    slow = SETTINGS.changed(steps=4, warmup_ratio=0.5, eval_steps=1, eval_rows=4, learning_rate=10.0)
    adapter = train(slow, method="po")
    assert log(adapter, "learning_rate")[1] == 0
    assert list(log(adapter, "selection_loss")) == [2, 3, 4]
    assert manifest(adapter)["best_step"] >= 2
    ended = train(SETTINGS.changed(steps=4, warmup_ratio=0.5, stop_forget_nll=1e-3), name="ended")
    assert manifest(ended)["steps"] == 2
    assert any(
        value.any() for name, value in load_file(ended / "adapter_model.safetensors").items() if "lora_B" in name
    )


def test_without_selection_examples(train: Train) -> None:
    with pytest.raises(UserError, match="no forget examples in its selection split"):
        train(WITHOUT_SELECTION, selection=False)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"patience": 2}, "patience counts evaluations: set eval_steps as well"),
        ({"eval_steps": 2, "save_steps": 3}, "leave save_steps out"),
        ({"stop_forget_nll": 0.0}, "stop_forget_nll: should be greater than 0, found 0"),
    ],
)
def test_settings_that_do_not_go_together(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        UnlearnSettings(steps=4, **settings)


def test_trackers(train: Train) -> None:
    with pytest.raises(UserError, match="unknown tracker in report_to 'tensorbord'; did you mean 'tensorboard'"):
        train(SETTINGS.changed(report_to=("tensorbord",)))
    with pytest.raises(UserError, match="the package of the tracker neptune is not installed"):
        train(SETTINGS.changed(report_to=("neptune",)))


@pytest.mark.parametrize("method", ["gd+pd", "rmu"])
def test_gradient_checkpointing_changes_nothing_but_memory(train: Train, method: str) -> None:
    options = {"layer": 1} if method == "rmu" else {}
    settings = SETTINGS.changed(steps=4, lora_dropout=0.3, projector="full", options=options)
    kept = train(settings, method=method, name="kept")
    computed = train(settings.changed(gradient_checkpointing=True), method=method, name="computed")
    assert log(computed, "loss") == log(kept, "loss")
    assert (computed / "adapter_model.safetensors").read_bytes() == (kept / "adapter_model.safetensors").read_bytes()


def test_gradient_checkpointing_computes_layers_again(examples: list[Example], tmp_path: Path) -> None:
    calls = []
    loaded = tiny_random.load()
    for layer in loaded.model.get_decoder().layers:
        layer.mlp.register_forward_pre_hook(lambda *_: calls.append(1))
    settings = SETTINGS.changed(steps=2, gradient_checkpointing=True)
    unlearn(loaded, examples, tiny_random.REFUSALS, "po", settings, tmp_path / "run")
    # layers, steps, forward and again in backward; and once for the base's logits that are noted with the adapter
    assert len(calls) == 2 * 2 * 2 + 2
    assert not loaded.model.is_activation_checkpointing


@pytest.mark.parametrize(("rate", "said"), [(1e8, "holds|not a number"), (1e30, "holds|not a number")])
def test_what_is_not_a_number_ends_training_without_an_adapter(
    examples: list[Example], tmp_path: Path, rate: float, said: str
) -> None:
    settings = UnlearnSettings(steps=4, batch_size=2, learning_rate=rate, max_grad_norm=1e9, warmup_ratio=0.0)
    with pytest.raises(UserError, match=said):
        unlearn(tiny_random.load(), examples, tiny_random.REFUSALS, "ga", settings, tmp_path / "run")
    assert not (tmp_path / "run" / "adapter").exists()
    assert "NaN" not in "".join(each.read_text() for each in (tmp_path / "run").glob("*.json*"))


def test_without_steps_to_save_at_there_are_checkpoints_by_the_clock(examples: list[Example], tmp_path: Path) -> None:
    settings = UnlearnSettings(steps=4, batch_size=2, save_minutes=1e-9)

    def train(name: str, **changes: Any) -> bytes:
        adapter = unlearn(
            tiny_random.load(), examples, tiny_random.REFUSALS, "po", settings.changed(**changes), tmp_path / name
        )
        return (adapter / "adapter_model.safetensors").read_bytes()

    straight = train("straight", save_minutes=1000.0)
    with interrupted_at(3):
        train("stopped")
    kept = (tmp_path / "stopped" / "checkpoints").glob("checkpoint-*")
    assert sorted(each.name for each in kept) == ["checkpoint-1", "checkpoint-2"]
    assert train("stopped") == straight

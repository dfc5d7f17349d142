"""Every method of the table trains: the adapter moves, the model does not, and the log says what was computed."""

from __future__ import annotations

import json
from math import log
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import Trainer

from safeeraser.errors import UserError
from safeeraser.objectives import METHODS, Method, Need, Target, Term, find, loss, nll
from safeeraser.objectives.method import Bound
from safeeraser.objectives.nll import plain_nll
from safeeraser.records import Example, Stream
from safeeraser.unlearning.output import Output
from safeeraser.unlearning.run import unlearn
from safeeraser.unlearning.settings import UnlearnSettings
from safeeraser.unlearning.trainer import UnlearnTrainer
from tests import tiny_random

SETTINGS = UnlearnSettings(
    steps=2, batch_size=2, learning_rate=1e-2, warmup_ratio=0.0, lora_r=2, lora_alpha=4, lora_dropout=0.0
)
OPTIONS: dict[str, dict[str, float]] = {"rmu": {"layer": 1}, "pdu": {"eps": 1.0}}  # what a small model needs
QUICK = {("ga", "clean"), ("gd+pd", "paper"), ("kl+pd", "clean"), ("po+pd", "clean")}
PRESETS = [
    pytest.param(name, preset, marks=[] if (name, preset) in QUICK else pytest.mark.slow)
    for name, presets in METHODS.items()
    for preset in presets
] + [("po+pd+sam", "clean")]


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> list[Example]:
    return tiny_random.examples(tmp_path_factory.mktemp("pictures"))


def settings(name: str, **changes: Any) -> UnlearnSettings:
    given = OPTIONS.get(name.removesuffix("+pd"), {}) | changes.pop("options", {})
    return SETTINGS.changed(options=given, **changes)


def train(examples: list[Example], folder: Path, method: str | Method, chosen: UnlearnSettings, **given: Any) -> Path:
    return unlearn(given.get("loaded") or tiny_random.load(), examples, tiny_random.REFUSALS, method, chosen, folder)


def entries(adapter: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (adapter.parent / "loss.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(("name", "preset"), PRESETS)
def test_it_moves_the_adapter_and_nothing_else(name: str, preset: Any, examples: list[Example], tmp_path: Path) -> None:
    loaded = tiny_random.load()
    before = {key: value.clone() for key, value in loaded.model.state_dict().items()}
    adapter = train(examples, tmp_path / "run", name, settings(name, preset=preset), loaded=loaded)
    after = loaded.model.state_dict()
    assert all(torch.equal(after[key], value) for key, value in before.items())
    moved = {key for key, value in load_file(adapter / "adapter_model.safetensors").items() if value.any()}
    assert any("lora_B" in key for key in moved)  # which is nothing at first
    for entry in entries(adapter):
        terms = find(name, preset).terms
        weights = {term.name: entry.get(f"{term.name}_weight", term.weight) for term in terms}
        assert entry["loss"] == pytest.approx(sum(weights[key] * entry[key] for key in weights), rel=1e-4)
        assert entry["grad_norm"] > 0


def test_where_training_starts_is_where_the_model_was(examples: list[Example], tmp_path: Path) -> None:
    """An untrained adapter changes nothing, so each comparison with the model before has its value for no change."""
    first = {name: entries(train(examples, tmp_path / name, name, settings(name)))[0] for name in ("kl", "npo", "dpo")}
    assert first["kl"]["retain"] == pytest.approx(0, abs=1e-5)
    assert first["npo"]["forget"] == pytest.approx(20 * log(2), rel=1e-4)
    assert first["dpo"]["preference"] == pytest.approx(20 * log(2), rel=1e-4)


def test_ascent_forgets_and_a_refusal_is_preferred(examples: list[Example], tmp_path: Path) -> None:
    log_ = entries(train(examples, tmp_path / "ga", "ga", settings("ga", steps=8)))
    assert log_[-1]["forget"] < log_[0]["forget"] - 0.5
    log_ = entries(train(examples, tmp_path / "dpo", "dpo", settings("dpo", steps=8)))
    assert log_[-1]["preference"] < log_[0]["preference"] - 0.5


def test_options_reach_training_and_the_manifest(examples: list[Example], tmp_path: Path) -> None:
    adapter = train(examples, tmp_path / "run", "npo", settings("npo", options={"beta": 0.5, "retain_weight": 0.25}))
    first = entries(adapter)[0]
    assert first["forget"] == pytest.approx(4 * log(2), rel=1e-4)
    assert first["loss"] == pytest.approx(first["forget"] + 0.25 * first["retain"], rel=1e-5)
    inputs = json.loads((adapter.parent / "manifest.json").read_text())["inputs"]
    assert inputs["settings"]["options"] == {"beta": 0.5, "retain_weight": 0.25}
    with pytest.raises(UserError, match=r"made with terms = .*'weight': 0\.25"):
        train(examples, tmp_path / "run", "npo", settings("npo", options={"beta": 0.5}))


def test_the_direction_of_rmu_is_of_the_runs_seed(examples: list[Example], tmp_path: Path) -> None:
    def first(name: str, **changes: Any) -> float:
        return entries(train(examples[:4], tmp_path / name, "rmu", settings("rmu", **changes)))[0]["forget"]

    assert first("one", seed=1) == first("again", seed=1)
    assert first("one-other", seed=2) != first("two", seed=1)
    assert first("fixed", seed=2, options={"seed": 1}) == pytest.approx(first("three", seed=1), rel=1e-6)


@pytest.mark.parametrize("name", ["rmu", "kl"])
def test_checkpointed_activations_change_nothing(name: str, examples: list[Example], tmp_path: Path) -> None:
    plain = train(examples, tmp_path / "plain", name, settings(name))
    saving = train(examples, tmp_path / "saving", name, settings(name, gradient_checkpointing=True))
    for one, other in zip(entries(plain), entries(saving), strict=True):
        assert one == pytest.approx(other, rel=1e-4, abs=1e-6)


class _Killed(Exception):
    pass


def test_the_multiplier_of_pdu_is_raised_each_step_and_goes_on_after_a_stop(
    examples: list[Example], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = settings("pdu", options={"eps": 0.5, "eta": 0.25}, steps=5, save_steps=2, batch_size=1, accumulation=2)
    straight = train(examples, tmp_path / "straight", "pdu", chosen)
    weights = [entry["retain_weight"] for entry in entries(straight)]
    losses = [entry["retain"] for entry in entries(straight)]
    assert weights[0] == 1.0
    for before, after, value in zip(weights, weights[1:], losses, strict=False):
        assert after == pytest.approx(Bound(0.5, 0.25).raised(before, value), rel=1e-5)
    assert weights[-1] > 1.5

    write = Output.log

    def stop(self: Output, entry: dict[str, float]) -> None:
        write(self, entry)
        if entry["step"] == 4:
            raise _Killed

    monkeypatch.setattr(Output, "log", stop)
    with pytest.raises(_Killed):
        train(examples, tmp_path / "stopped", "pdu", chosen)
    monkeypatch.setattr(Output, "log", write)
    stopped = train(examples, tmp_path / "stopped", "pdu", chosen)
    assert entries(stopped) == entries(straight)
    one, other = (load_file(each / "adapter_model.safetensors") for each in (straight, stopped))
    assert all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("npo", {"options": {"bta": 1.0}}, "npo: unknown option 'bta'; did you mean 'beta'"),
        ("pdu", {"options": {"eps": -1.0}}, "option eps must be 0 or more"),
        ("rmu", {"options": {"layer": 7}}, "rmu: option layer is 7, the language model has layers 0 to 1"),
        ("rmu", {"options": {"layer": 0}, "lora_layers": 1}, "layer is 0, which lies below the layers trained, from 1"),
        ("npo", {"preset": "paper"}, "npo has no preset 'paper'"),
    ],
)
def test_what_a_method_cannot_be_trained_with(
    name: str, changes: Any, message: str, examples: list[Example], tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=message):
        train(examples, tmp_path / "run", name, settings(name, **changes))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("name", "left_out", "refusals", "message"),
    [
        ("ga+pd", Stream.DECOUPLED, tiny_random.REFUSALS, r"ga\+pd: 6 forget examples have no decoupled partner"),
        ("dpo", None, (), "dpo: the benchmark has no refusals to train towards"),
        ("kl", Stream.RETAIN, tiny_random.REFUSALS, "kl: the benchmark has no retain examples in its train split"),
        ("ga", Stream.FORGET, tiny_random.REFUSALS, "no forget examples in its train split"),
    ],
)
def test_data_that_a_method_cannot_be_trained_on(
    name: str, left_out: Stream | None, refusals: tuple[str, ...], message: str, examples: list[Example], tmp_path: Path
) -> None:
    data = [each for each in examples if each.stream is not left_out]
    with pytest.raises(UserError, match=message):
        unlearn(tiny_random.load(), data, refusals, name, settings(name), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_pdu_without_its_bound(examples: list[Example], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="pdu: option eps has no default and has to be set"):
        train(examples, tmp_path / "run", "pdu", SETTINGS)


def test_a_reference_needs_an_adapter(monkeypatch: pytest.MonkeyPatch) -> None:
    def accept(self: Trainer, **options: Any) -> None:
        self.model = options["model"]

    monkeypatch.setattr(Trainer, "__init__", accept)
    with pytest.raises(UserError, match="kl compares with the model before unlearning: train an adapter"):
        UnlearnTrainer(method=find("kl"), vision=None, model=tiny_random.load().model)  # type: ignore[arg-type]


def test_a_loss_of_ones_own(examples: list[Example], tmp_path: Path) -> None:
    @loss(formula="-mean log p_t of what the loss is told it may read", source="here", needs=Need.LOGITS)
    def mine(forget: Any) -> torch.Tensor:
        assert forget.reference is None
        assert forget.logits.shape[0] == int(forget.mask.sum())
        return plain_nll(forget)

    method = Method("mine", (Term("forget", mine, (Target.FORGET,)), Term("refusal", nll, (Target.REFUSAL,))))
    assert len(entries(train(examples, tmp_path / "run", method, SETTINGS))) == 2

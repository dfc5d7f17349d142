"""Training end to end on a random model: what it writes, what it leaves alone, and that it can be stopped."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file

from safeeraser.errors import UserError
from safeeraser.objectives import Method, StreamOutput, Target, Term, nll
from safeeraser.records import Example
from safeeraser.unlearning.output import Output
from safeeraser.unlearning.run import unlearn
from safeeraser.unlearning.settings import UnlearnSettings
from safeeraser.unlearning.trainer import UnlearnTrainer
from tests import tiny_random
from tests.files.room import no_room

SETTINGS = UnlearnSettings(steps=6, batch_size=4, learning_rate=1e-2, lora_r=4, lora_alpha=8, lora_dropout=0.1)
IDS = torch.arange(10, 40)[None]


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> list[Example]:
    return tiny_random.examples(tmp_path_factory.mktemp("pictures"))


Train = Callable[..., Path]


@pytest.fixture
def train(examples: list[Example], tmp_path: Path) -> Train:
    def run(
        settings: UnlearnSettings = SETTINGS, method: str | Method = "po+pd", name: str = "run", **given: Any
    ) -> Path:
        loaded = given.pop("loaded", None) or tiny_random.load()
        return unlearn(loaded, examples, tiny_random.REFUSALS, method, settings, tmp_path / name)

    return run


def weights(adapter: Path) -> dict[str, torch.Tensor]:
    return load_file(adapter / "adapter_model.safetensors")


def log(adapter: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (adapter.parent / "loss.jsonl").read_text().splitlines()]


def same(one: Path, other: Path, **tolerance: float) -> None:
    torch.testing.assert_close(weights(one), weights(other), **(tolerance or {"rtol": 0, "atol": 0}))


@pytest.mark.parametrize("room", [10_000, 40_000])  # for neither, and for the adapter but not for the optimiser
def test_a_disk_that_fills_up_is_named_and_the_run_goes_on_when_there_is_room(train: Train, room: int) -> None:
    saving = SETTINGS.changed(save_steps=3)
    with no_room(room), pytest.raises(UserError, match="run/checkpoints: no checkpoint could be written"):
        train(saving)
    same(train(saving), train(saving, name="straight"))


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # PEFT's
@pytest.mark.parametrize("projector", ["frozen", "full", "lora"])
def test_peft_loads_the_adapter_and_it_changes_the_model(train: Train, projector: Any) -> None:
    adapter = train(SETTINGS.changed(projector=projector))
    plain = tiny_random.load().model(IDS).logits
    adapted = PeftModel.from_pretrained(tiny_random.load().model, str(adapter)).eval()
    assert (adapted(IDS).logits - plain).abs().max() > 0.01
    trained = [name for name in weights(adapter) if "projector" in name]
    assert bool(trained) == (projector != "frozen")


def test_base_model_is_as_before(train: Train) -> None:
    loaded = tiny_random.load()
    before = {name: value.clone() for name, value in loaded.model.state_dict().items()}
    train(SETTINGS.changed(projector="full"), loaded=loaded)
    after = loaded.model.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert loaded.model.config._attn_implementation == tiny_random.load().model.config._attn_implementation
    assert not loaded.model.training
    assert not any(parameter.requires_grad for parameter in loaded.model.parameters())


@pytest.mark.filterwarnings("error")
def test_one_model_can_be_trained_again(train: Train) -> None:
    loaded = tiny_random.load()
    first, second = train(name="first", loaded=loaded), train(name="second", loaded=loaded)
    same(first, second)


def test_manifest_and_loss_log(train: Train) -> None:
    adapter = train()
    manifest = json.loads((adapter.parent / "manifest.json").read_text())
    assert manifest["inputs"]["settings"]["learning_rate"] == 1e-2
    assert manifest["inputs"]["method"] == "po+pd"
    assert [term["weight"] for term in manifest["inputs"]["terms"]] == [1.0, 1.0, 1.0]
    assert manifest["steps"] == 6
    assert manifest["rows_per_second"] > 0
    assert manifest["tokens_per_step"] > 4 * 3 * 10
    assert manifest["versions"]["torch"] == version("torch")
    entries = log(adapter)
    assert [entry["step"] for entry in entries] == [1, 2, 3, 4, 5, 6]
    for entry in entries:
        assert entry["loss"] == pytest.approx(entry["refusal"] + entry["retain"] + entry["decoupled"], rel=1e-5)
    assert json.loads((adapter / "adapter_config.json").read_text())["base_model_name_or_path"] == "random"
    assert not (adapter.parent / "checkpoints").exists()


def test_the_loss_falls(train: Train) -> None:
    losses = [entry["loss"] for entry in log(train(SETTINGS.changed(steps=40, lora_dropout=0.0)))]
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.parametrize("scheduler", ["cosine", "linear", "constant", "constant_with_warmup"])
@pytest.mark.parametrize("steps", [1, 2, 3])
def test_however_few_steps_there_are_the_last_one_trains(train: Train, steps: int, scheduler: Any) -> None:
    adapter = train(SETTINGS.changed(steps=steps, lr_scheduler=scheduler), method="po")
    assert log(adapter)[-1]["learning_rate"] > 0
    assert any(weight.any() for name, weight in weights(adapter).items() if "lora_B" in name)


def test_the_rate_climbs_in_the_first_of_more_steps(train: Train) -> None:
    rates = [entry["learning_rate"] for entry in log(train(SETTINGS.changed(steps=34, batch_size=1), method="po"))]
    assert rates[:4] == pytest.approx([0, 0.01 / 3, 0.02 / 3, 0.01])


def test_first_token_weight_and_weights_reach_the_loss(train: Train) -> None:
    method = Method("trial", (Term("refusal", nll, (Target.REFUSAL,), 0.25),))
    plain = log(train(method=method, name="plain"))[0]
    heavy = log(train(SETTINGS.changed(first_token_weight=50.0), method=method, name="heavy"))[0]
    assert plain["loss"] == pytest.approx(0.25 * plain["refusal"])
    assert abs(heavy["refusal"] - plain["refusal"]) > 0.01


@pytest.mark.parametrize("preset", ["clean", "paper"])
def test_batch_of_one_accumulated_equals_one_batch(train: Train, preset: Any) -> None:
    settings = SETTINGS.changed(preset=preset, lora_dropout=0.0, steps=3)
    whole = train(settings.changed(batch_size=8), name="whole")
    parts = train(settings.changed(batch_size=1, accumulation=8), name="parts")
    for one, other in zip(log(whole), log(parts), strict=True):
        assert one == pytest.approx(other, rel=1e-4)
    same(whole, parts, rtol=1e-3, atol=1e-4)


def test_equal_seeds_give_equal_adapters(train: Train) -> None:
    first, second = train(name="first"), train(name="second")
    same(first, second)
    other = train(SETTINGS.changed(seed=1), name="other")
    assert any(not torch.equal(value, weights(other)[name]) for name, value in weights(first).items())


def test_a_stopped_run_goes_on_from_its_checkpoint(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = SETTINGS.changed(save_steps=2)
    straight = train(settings, name="straight")
    write = Output.log

    def stop(self: Output, entry: dict[str, float]) -> None:
        write(self, entry)
        if entry["step"] == 5:
            raise KeyboardInterrupt

    monkeypatch.setattr(Output, "log", stop)
    with pytest.raises(KeyboardInterrupt):
        train(settings, name="stopped")
    monkeypatch.setattr(Output, "log", write)
    (tmp_path / "stopped" / "checkpoints" / "checkpoint-5").mkdir()  # as if killed while writing one more
    stopped = train(settings, name="stopped")
    same(straight, stopped)
    assert log(straight) == log(stopped)


def test_a_finished_run_is_not_trained_again(
    train: Train, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    adapter = train()
    monkeypatch.setattr(Output, "log", None)
    assert train() == adapter
    assert "finished before" in caplog.text


def test_a_folder_of_other_settings_is_left_alone(train: Train) -> None:
    adapter = train()
    before = weights(adapter)
    with pytest.raises(UserError, match=r"made with learning_rate = 0\.01, not 0\.5"):
        train(SETTINGS.changed(learning_rate=0.5))
    with pytest.raises(UserError, match=r"made with method = 'po\+pd', not 'po'"):
        train(method="po")
    assert all(torch.equal(value, weights(adapter)[name]) for name, value in before.items())


def summed(refusal: StreamOutput, *, power: float = 1.0) -> torch.Tensor:
    """Not `nll`, with an option of its own."""
    return -(refusal.logprobs * refusal.mask).sum(dim=1).mul(power)


def squared(refusal: StreamOutput, *, power: float = 2.0) -> torch.Tensor:
    """Not `summed`, though its options could be the same."""
    return (refusal.logprobs * refusal.mask).square().sum(dim=1).mul(power)


@pytest.mark.parametrize(
    ("term", "message"),
    [
        (
            Term("refusal", nll, (Target.REFUSAL,)),
            r"loss = 'tests\..*\.summed', not 'safeeraser\.objectives\.nll\.nll'",
        ),
        (Term("refusal", summed, (Target.REFUSAL,), options={"power": 2.0}), r"power = 1\.0, not 2\.0"),
        (
            Term("refusal", partial(squared, power=1.0), (Target.REFUSAL,)),
            r"loss = 'tests\..*\.summed', not 'tests\..*\.squared'",
        ),
    ],
    ids=["another loss", "another option", "another loss with its options"],
)
def test_a_method_of_other_losses_or_options_does_not_get_the_old_adapter(
    train: Train, term: Term, message: str
) -> None:
    given = Term("refusal", summed, (Target.REFUSAL,))
    adapter = train(method=Method("mine", (given,)))
    assert train(method=Method("mine", (given,))) == adapter
    with pytest.raises(UserError, match=f"run: made with {message}"):
        train(method=Method("mine", (term,)))


def test_what_has_no_answer_is_refused_before_anything_is_written(examples: list[Example], tmp_path: Path) -> None:
    silent = [replace(each, answer="") if each.id == "d3" else each for each in examples]
    with pytest.raises(UserError, match=r"po\+pd: 1 decoupled examples have no answer to train towards, .* d3"):
        unlearn(tiny_random.load(), silent, tiny_random.REFUSALS, "po+pd", SETTINGS, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_damaged_loss_log_is_named(tmp_path: Path) -> None:
    (tmp_path / "loss.jsonl").write_text("garbage\n")
    for read in (Output(tmp_path, {}).logged, Output(tmp_path, {}).resume):
        with pytest.raises(UserError, match=r"loss\.jsonl"):
            read()


@pytest.mark.parametrize("damaged", ["", "{", "[]", "{}", '{"inputs": 3}', "\0\0"])
def test_a_damaged_manifest_is_named(train: Train, damaged: str) -> None:
    manifest = train().parent / "manifest.json"
    manifest.write_text(damaged, encoding="utf-8")
    with pytest.raises(UserError, match=r"manifest.json: not a training's manifest, remove the folder"):
        train()


def test_settings_of_a_training_without_a_step_do_not_bind(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(UnlearnTrainer, "train", stop)
        with pytest.raises(KeyboardInterrupt):
            train(SETTINGS.changed(learning_rate=0.5), name="mistaken")
    manifest = tmp_path / "mistaken" / "manifest.json"
    assert json.loads(manifest.read_text())["inputs"]["settings"]["learning_rate"] == 0.5
    same(train(name="straight"), train(name="mistaken"))
    assert json.loads(manifest.read_text())["inputs"]["settings"]["learning_rate"] == SETTINGS.learning_rate


def test_an_adapter_without_a_manifest_is_left_alone(train: Train) -> None:
    adapter = train()
    (adapter.parent / "manifest.json").unlink()
    with pytest.raises(UserError, match="of unknown settings are here"):
        train()


@pytest.mark.parametrize("name", ["checkpoints/checkpoint-500/weights", "loss.jsonl", "manifest.json"])
def test_what_no_training_wrote_is_left_alone(train: Train, tmp_path: Path, name: str) -> None:
    theirs = tmp_path / "run" / name
    theirs.parent.mkdir(parents=True)
    theirs.write_text('{"mine": 1}')
    with pytest.raises(UserError, match="choose another"):
        train()
    assert theirs.read_text() == '{"mine": 1}'


def test_bfloat16(train: Train) -> None:
    adapter = train(loaded=tiny_random.load(dtype=torch.bfloat16))
    assert {value.dtype for value in weights(adapter).values()} == {torch.float32}
    assert all(entry["grad_norm"] > 0 for entry in log(adapter))


def test_unknown_method(train: Train, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"unknown method 'pd'"):
        train(method="pd")
    assert not (tmp_path / "run").exists()


def test_out_of_memory_says_what_to_try(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(UnlearnTrainer, "training_step", fail)
    with pytest.raises(UserError, match="batch_size 4: batch_size=2 accumulation=6 makes the same steps, and gradient"):
        train(SETTINGS.changed(batch_size=4, accumulation=3))
    with pytest.raises(UserError, match="batch_size 4: gradient_checkpointing=true"):
        train(SETTINGS.changed(batch_size=4), method="po+sam")

"""Adapters on their way in and out: merged, imported, described; and refused where they do not belong."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml
from peft import AutoPeftModel
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoModelForImageTextToText, AutoProcessor

from safeeraser import provenance
from safeeraser.errors import UserError
from safeeraser.models.adapters import import_checkpoint, write_card, write_merged
from safeeraser.models.adapters.card import describe
from safeeraser.models.load import LoadedModel, load
from safeeraser.models.lora import attach
from safeeraser.models.merging import probe
from safeeraser.records import Metric
from safeeraser.unlearning.run import unlearn
from safeeraser.unlearning.settings import UnlearnSettings
from tests import tiny_random

RANK, ALPHA = 4, 32.0
Checkpoint = dict[str, Tensor]


@pytest.fixture
def model(tmp_path: Path) -> str:
    loaded = tiny_random.load()
    loaded.model.save_pretrained(tmp_path / "model")
    loaded.processor.save_pretrained(tmp_path / "model")
    return str(tmp_path / "model")


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    """LoRA and a projector, with random weights."""
    adapted = attach(tiny_random.load().model, r=RANK, alpha=ALPHA, dropout=0.0, projector="full")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        for parameter in adapted.parameters():
            if parameter.requires_grad:
                torch.nn.init.normal_(parameter, std=0.1)
    adapted.save_pretrained(str(tmp_path / "adapter"), save_embedding_layers=False)
    return tmp_path / "adapter"


@pytest.fixture
def checkpoint(adapter: Path) -> Checkpoint:
    """The same weights with the names of the authors' file."""
    names = {
        name: name.removeprefix("base_model.model.")
        .replace("model.language_model.", "language_model.model.")
        .replace("model.multi_modal_projector.", "multi_modal_projector.")
        .replace(".weight", ".default.weight" if "lora_" in name else ".weight")
        for name in load_file(adapter / "adapter_model.safetensors")
    }
    return {names[name]: value for name, value in load_file(adapter / "adapter_model.safetensors").items()}


Import = Callable[..., Path]


@pytest.fixture
def imported(tmp_path: Path) -> Import:
    def run(content: object, **given: object) -> Path:
        torch.save(content, tmp_path / "checkpoint.pt")
        loaded = given.pop("loaded", None) or tiny_random.load()
        return import_checkpoint(tmp_path / "checkpoint.pt", loaded, tmp_path / "imported", alpha=ALPHA, **given)

    return run


def logits(loaded: LoadedModel) -> Tensor:
    return probe(loaded.model, loaded.processor, pictured=True)


def test_a_merged_model_is_a_plain_one_with_equal_logits(model: str, adapter: Path, tmp_path: Path) -> None:
    expected = logits(load(model, adapter=adapter, dtype="float32", device="cpu"))
    folder = write_merged(model, adapter, tmp_path / "merged")
    plain = AutoModelForImageTextToText.from_pretrained(folder).eval()
    found = probe(plain, AutoProcessor.from_pretrained(folder), pictured=True)
    torch.testing.assert_close(found, expected, rtol=0, atol=0)
    assert (found - logits(tiny_random.load())).abs().max() > 0.1
    assert plain.generation_config.eos_token_id == tiny_random.load().model.generation_config.eos_token_id
    made_of = json.loads((folder / "merged.json").read_text())
    assert made_of["model"] == model
    assert made_of["adapter"] == provenance.content_hash(adapter)[:16]
    assert made_of["weights"] == provenance.folder_weights(model)
    with pytest.raises(UserError, match="exists already"):
        write_merged(model, adapter, tmp_path / "merged")


@pytest.mark.parametrize(
    "rename",
    [
        lambda name: name,
        lambda name: f"module.{name}",
        lambda name: f"base_model.model.{name}",
        lambda name: f"module.base_model.model.model.{name.replace('language_model.model.', 'language_model.')}",
        lambda name: name.replace(".default", "").replace(
            "multi_modal_projector.", "multi_modal_projector.modules_to_save.default."
        ),
    ],
)
def test_a_checkpoint_becomes_the_same_adapter(
    model: str, adapter: Path, checkpoint: Checkpoint, imported: Import, rename: Callable[[str], str]
) -> None:
    folder = imported({rename(name): value for name, value in checkpoint.items()}, rank=RANK)
    ours, original = (load(model, adapter=each, dtype="float32", device="cpu") for each in (folder, adapter))
    torch.testing.assert_close(logits(ours), logits(original), rtol=0, atol=0)
    config = json.loads((folder / "adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"]) == (RANK, ALPHA)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_importing_leaves_the_model_as_it_was(checkpoint: Checkpoint, imported: Import, dtype: torch.dtype) -> None:
    loaded = tiny_random.load(dtype=dtype)
    before = logits(loaded)
    imported(checkpoint, loaded=loaded)
    torch.testing.assert_close(logits(loaded), before, rtol=0, atol=0)
    assert not any(parameter.requires_grad for parameter in loaded.model.parameters())


def test_every_tensor_needs_a_place_and_every_place_a_tensor(checkpoint: Checkpoint, imported: Import) -> None:
    wanted = "language_model.model.layers.1.self_attn.q_proj.lora_A.default.weight"
    misspelt = {
        name.replace("layers.1.self_attn.q_proj", "layers.1.self_att.q_proj"): v for name, v in checkpoint.items()
    }
    with pytest.raises(UserError) as caught:
        imported(misspelt)
    assert re.search(r"2 tensors have no place in the model: .*self_att\.q_proj\.lora_A", str(caught.value))
    assert "2 tensors are missing: model.language_model.layers.1.self_attn.q_proj.lora_A" in str(caught.value)
    assert "the nearest to the first is language_model.model.layers.1.self_att.q_proj.lora_A" in str(caught.value)
    with pytest.raises(UserError, match=r"1 tensors are missing: model\.language_model\.layers\.1.*lora_A"):
        imported({name: value for name, value in checkpoint.items() if name != wanted})
    with pytest.raises(UserError, match=r"1 tensors are missing: model\.multi_modal_projector\.linear_2\.bias"):
        imported({name: value for name, value in checkpoint.items() if name != "multi_modal_projector.linear_2.bias"})
    with pytest.raises(UserError, match="two tensors for"):
        imported({**checkpoint, f"module.{wanted}": checkpoint[wanted]})
    with pytest.raises(UserError, match=r"1 tensors have no place in the model: vision_tower\.proj\.weight"):
        imported({**checkpoint, "vision_tower.proj.weight": torch.ones(1)})


def test_shapes_and_rank_are_checked(checkpoint: Checkpoint, imported: Import) -> None:
    name = "language_model.model.layers.0.mlp.up_proj.lora_A.default.weight"
    with pytest.raises(UserError, match=r"up_proj\.lora_A is \[4, 7\], not \[rank, 32\]"):
        imported({**checkpoint, name: torch.ones(4, 7)})
    with pytest.raises(UserError, match=r"one LoRA rank is expected, found \[3, 4\]"):
        imported({**checkpoint, name: torch.ones(3, 32)})
    with pytest.raises(UserError, match="the LoRA rank is 4, not 8"):
        imported(checkpoint, rank=8)


def test_a_checkpoint_that_changes_nothing_is_refused(checkpoint: Checkpoint, imported: Import, tmp_path: Path) -> None:
    lora = {name: value for name, value in checkpoint.items() if "lora_" in name}
    with pytest.raises(UserError, match="changes no logits"):
        imported({name: value * ("lora_A" in name) for name, value in lora.items()})
    assert not (tmp_path / "imported").exists()


@pytest.mark.parametrize("content", [[1, 2], {}, {"a": 1}, {1: torch.ones(1)}, {"a": torch.nn.Linear(1, 1)}])
def test_a_file_of_something_else_is_refused(imported: Import, content: object) -> None:
    with pytest.raises(UserError, match=r"checkpoint\.pt"):
        imported(content)


def test_a_file_that_is_no_checkpoint_is_called_what_it_is(tmp_path: Path) -> None:
    """And never with the advice to run what it holds."""
    for content, said in ((b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"), (b"<html>", "alone")):
        (tmp_path / "a.pt").write_bytes(content)
        with pytest.raises(UserError, match=said) as caught:
            import_checkpoint(tmp_path / "a.pt", tiny_random.load(), tmp_path / "out", alpha=ALPHA)
        assert "weights_only" not in str(caught.value)


def test_an_adapter_that_changes_nothing_is_refused(model: str, adapter: Path) -> None:
    path = adapter / "adapter_model.safetensors"
    weights = load_file(path)
    original = tiny_random.load().model.model.multi_modal_projector.state_dict()
    save_file(
        {
            name: value * 0 if "lora_B" in name else original.get(name.partition("multi_modal_projector.")[2], value)
            for name, value in weights.items()
        },
        path,
    )
    with pytest.raises(UserError, match="changes no logits"):
        load(model, adapter=adapter, device="cpu")


def test_an_adapter_that_fits_in_part_is_refused(model: str, adapter: Path) -> None:
    path = adapter / "adapter_model.safetensors"
    weights = load_file(path)
    lost = next(name for name in weights if "lora_A" in name)
    save_file({name: value for name, value in weights.items() if name != lost}, path)
    with pytest.raises(UserError, match="does not fit LlavaForConditionalGeneration: Found missing adapter keys"):
        load(model, adapter=adapter, device="cpu")
    save_file({**weights, lost.replace("layers.0", "layers.7"): weights[lost].clone()}, path)
    with pytest.raises(UserError, match=r"1 tensors have no place in Llava.*, such as .*layers.7"):
        load(model, adapter=adapter, device="cpu")


def test_a_card_shows_what_is_known_and_nothing_as_markup(tmp_path: Path) -> None:
    facts = {
        "model": "a](http://x) <b>|\nmodel",
        "method": "po+pd",
        "terms": [{"name": "refusal", "weight": 1.0}],
        "neutral": 0.75,
        "settings": {"learning_rate": 1e-4, "limit": None},
        "data": "0123abcd",
    }
    metric = Metric(
        model="po", name="asr", part="generality", group="all", value=0.25, low=0.1, high=0.4, n=96, unscored=2
    )
    unscored = Metric(
        model="po", name="rouge_l", part="generality", group="all", value=None, low=None, high=None, n=0, unscored=9
    )
    text = write_card(tmp_path, facts, [metric, unscored]).read_text()
    body = text.split("---", 2)[2]
    assert r"a\](http\://x) \<b\>\|" in body
    assert "<b>" not in body
    assert "| `learning_rate` | `0.0001` |" in body
    assert "| `neutral` | `0.75` |" in body
    assert "limit" not in body.split("## Measured")[0].replace("## Limits", "")
    assert "| asr, generality | 96 | 2 | 0.250 | 0.100 to 0.400 |" in body
    assert "| rouge_l, generality | 0 | 9 | not scored | none |" in body
    assert "0123abcd" in body


def test_a_runs_metrics_come_onto_its_adapters_card(tmp_path: Path) -> None:
    metric = Metric(
        model="po", name="sarr", part="decoupled", group="all", value=0.5, low=0.4, high=0.6, n=96, unscored=0
    )
    describe(tmp_path, [metric])
    assert not any(tmp_path.iterdir())
    (tmp_path / "manifest.json").write_text(json.dumps({"inputs": {"method": "po", "model": "tiny"}}))
    (tmp_path / "adapter").mkdir()
    describe(tmp_path, [metric])
    assert "| sarr, decoupled | 96 | 0 | 0.500 | 0.400 to 0.600 |" in (tmp_path / "adapter/README.md").read_text()


def test_an_imported_adapter_has_its_card(checkpoint: Checkpoint, imported: Import) -> None:
    text = (imported(checkpoint) / "README.md").read_text()
    assert "Imported from a file with the hash" in text
    assert "| `lora_alpha` | `32.0` |" in text
    assert "More Information Needed" not in text


@pytest.mark.parametrize(
    ("model", "licence", "said"),
    [
        ("tiny", "apache-2.0", "is on no hub"),
        ("llava-hf/llava-1.5-7b-hf", "other", "AutoPeftModel"),
        ("/home/me/model", "other", "a folder of the machine"),
    ],
)
def test_the_front_of_a_card_is_what_the_hub_reads(tmp_path: Path, model: str, licence: str, said: str) -> None:
    text = write_card(tmp_path, {"model": model, "data_name": "data/icons", "judge": "rules@1"}).read_text()
    front = yaml.safe_load(text.split("---")[1])
    assert front.get("base_model") == (model if model.startswith("llava") else None)
    assert (front["pipeline_tag"], front["license"]) == ("image-text-to-text", licence)
    assert said in text


def test_anyone_loads_an_adapter_of_ours_with_its_base(model: str, tmp_path: Path) -> None:
    loaded = load(model, dtype="float32", device="cpu")
    settings = UnlearnSettings(steps=2, batch_size=2, learning_rate=1e-2, lora_r=2, lora_alpha=4)
    made = unlearn(loaded, tiny_random.examples(tmp_path), tiny_random.REFUSALS, "po", settings, tmp_path / "run")
    theirs = AutoPeftModel.from_pretrained(str(made)).eval()
    ours = load(model, adapter=made, dtype="float32", device="cpu")
    found = probe(theirs, loaded.processor, pictured=True)
    torch.testing.assert_close(found, logits(ours), rtol=1e-4, atol=1e-4)

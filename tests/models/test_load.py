"""Loading from a folder, with an adapter or without, and what cannot be loaded."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from peft import IA3Config, LoHaConfig, LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import LlavaForConditionalGeneration

from safeeraser.errors import UserError
from safeeraser.models import load as load_module
from safeeraser.models.beside import Beside
from safeeraser.models.load import load
from safeeraser.models.lora import attach
from safeeraser.models.merging import known_by, note_base
from tests import tiny_random

IDS = torch.arange(10, 30)[None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    loaded = tiny_random.load()
    loaded.model.save_pretrained(tmp_path / "model")
    loaded.processor.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def test_a_folder_gives_the_same_model(folder: Path) -> None:
    loaded = load(str(folder), dtype="float32", device="cpu")
    assert loaded.name == str(folder)
    torch.testing.assert_close(loaded.model(IDS).logits, tiny_random.load().model(IDS).logits, rtol=0, atol=0)
    assert not any(parameter.requires_grad for parameter in loaded.model.parameters())
    assert not loaded.model.training


def test_an_adapter_is_merged(folder: Path, tmp_path: Path) -> None:
    adapted = attach(tiny_random.load().model, r=4, alpha=8, dropout=0.0)
    for name, parameter in adapted.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter, std=0.2)
    adapted.save_pretrained(str(tmp_path / "adapter"), save_embedding_layers=False)
    loaded = load(str(folder), adapter=tmp_path / "adapter", dtype=torch.float32, device="cpu")
    torch.testing.assert_close(loaded.model(IDS).logits, adapted(IDS).logits, rtol=1e-4, atol=1e-4)
    assert (loaded.model(IDS).logits - tiny_random.load().model(IDS).logits).abs().max() > 0.1
    assert not any("lora" in name for name, _ in loaded.model.named_parameters())
    assert loaded.identity["adapter"] is not None
    assert {**loaded.identity, "adapter": None, "weights": None} == {
        "model": str(folder),
        "weights": None,
        "revision": None,
        "adapter": None,
        "dtype": "torch.float32",
    }


def test_what_cannot_be_loaded(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"unknown dtype 'bfloat'; did you mean 'bfloat16'"):
        load(str(folder), dtype="bfloat")
    with pytest.raises(UserError, match="unknown device 'gpu'"):
        load(str(folder), device="gpu")
    with pytest.raises(UserError, match="no adapter here"):
        load(str(folder), adapter=tmp_path)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("{root}/modle", "no such folder; did you mean .*model"),
        ("nowhere", "no such folder"),
        ("a/b/c", "no such folder"),
        ("{root}/empty", "config.json is missing"),
        ("nobody-here/no-model", "not on this disk, and the hub cannot be reached"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_a_mistyped_name_fails_at_once(tmp_path: Path, name: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.setattr(load_module, "hf_hub_url", lambda *_args, **_: "http://127.0.0.1:9/config.json")
    with pytest.raises(UserError, match=f"^model .*{said}") as error:
        load(name.format(root=tmp_path))
    assert "\n" not in str(error.value)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def _lfs(path: Path) -> None:
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")


def _header(path: Path) -> None:
    path.write_bytes(b"\xff" * 8 + path.read_bytes()[8:])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [_cut, _lfs, _header, _empty])
@pytest.mark.parametrize("file", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_damaged_model_is_one_line_that_names_it(folder: Path, damage: Callable[[Path], None], file: str) -> None:
    damage(folder / file)
    with pytest.raises(UserError, match=rf"^(?:model {folder}: |{folder}/{file}: a Git LFS pointer)") as error:
        load(str(folder))
    assert "\n" not in str(error.value)


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    """LoRA whose effect shows, as PEFT saves it."""
    adapted = attach(tiny_random.load().model, r=4, alpha=8, dropout=0.0)
    for name, parameter in adapted.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter, std=0.2)
    adapted.save_pretrained(str(tmp_path / "adapter"), save_embedding_layers=False)
    return tmp_path / "adapter"


@pytest.mark.parametrize("kind", ["stranger", "missing"])
def test_an_adapter_of_four_bits_that_fits_in_part_is_refused(
    kind: str, folder: Path, adapter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is put on unmerged, and transformers only logs what does not fit."""
    monkeypatch.setattr(load_module, "is_quantised", lambda _: True)
    load(str(folder), adapter=adapter, dtype="float32", device="cpu")
    weights = load_file(adapter / "adapter_model.safetensors")
    if kind == "stranger":
        weights["base_model.model.nowhere.lora_A.weight"] = torch.ones(2, 2)
    else:
        weights.pop(next(iter(weights)))
    save_file(weights, adapter / "adapter_model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match=r"adapter: 1 tensors are missing or have no place, such as .*lora_A"):
        load(str(folder), adapter=adapter, dtype="float32", device="cpu")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (_cut, "incomplete|Incomplete|invalid"),
        (_lfs, "a Git LFS pointer"),
        (_header, "[Hh]eader"),
        (_empty, "[Hh]eader"),
    ],
)
def test_a_damaged_adapter(folder: Path, adapter: Path, damage: Callable[[Path], None], said: str) -> None:
    damage(adapter / "adapter_model.safetensors")
    with pytest.raises(UserError, match=rf"(?i)adapter_model.safetensors: .*({said})") as error:
        load(str(folder), adapter=adapter)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("{", "adapter_config.json: "),
        ("[]", "names no peft_type"),
        ("{}", "names no peft_type"),
        ('{"peft_type": "LORRA"}', "unknown peft_type 'LORRA'; did you mean 'LORA'"),
        ('{"peft_type": "PROMPT_TUNING"}', "changes no weights"),
        ('{"peft_type": ["LORA"]}', "unknown peft_type"),
        ('{"peft_type": "LORA", "base_model_name_or_path": 5}', "base_model_name_or_path: expected a text, found 5"),
        ("version https://git-lfs.github.com/spec/v1\n", "adapter_config.json: a Git LFS pointer"),
    ],
)
def test_an_adapter_of_an_odd_kind(folder: Path, adapter: Path, config: str, said: str) -> None:
    (adapter / "adapter_config.json").write_text(config)
    with pytest.raises(UserError, match=said):
        load(str(folder), adapter=adapter)


def test_a_base_model_whose_name_can_be_no_path_is_another_name(folder: Path, adapter: Path) -> None:
    config = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps(config | {"base_model_name_or_path": "x" * 5000}))
    assert load(str(folder), adapter=adapter).adapter == adapter


def test_the_folder_above_an_adapter_is_told_where_it_is(folder: Path, adapter: Path) -> None:
    with pytest.raises(UserError, match=rf"no adapter here .*; did you mean {adapter}\?"):
        load(str(folder), adapter=adapter.parent)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e30])
def test_an_adapter_that_is_no_number_is_refused(folder: Path, adapter: Path, value: float) -> None:
    weights = load_file(adapter / "adapter_model.safetensors")
    name = next(iter(weights))
    weights[name][0, 0] = value
    save_file(weights, adapter / "adapter_model.safetensors")
    with pytest.raises(UserError, match=r"adapter_model.safetensors: .* holds"):
        load(str(folder), adapter=adapter)


def test_an_adapter_that_is_a_pickle_is_not_read(folder: Path, adapter: Path) -> None:
    (adapter / "adapter_model.safetensors").rename(adapter / "adapter_model.bin")
    with pytest.raises(UserError, match=r"adapter_model\.bin: a pickle"):
        load(str(folder), adapter=adapter)
    with pytest.raises(UserError, match=r"adapter_model\.bin: a pickle"):
        Beside(load(str(folder)), {"po": adapter})


OTHERS = {
    "LoRA on an embedding": LoraConfig(r=2, target_modules=["q_proj", "lm_head"]),
    "LoRA and whole modules": LoraConfig(r=2, target_modules=["q_proj"], modules_to_save=["lm_head"]),
    "rsLoRA": LoraConfig(r=2, target_modules=["q_proj"], use_rslora=True),
    "DoRA": LoraConfig(r=2, target_modules=["q_proj"], use_dora=True),
    "ranks of their own": LoraConfig(r=2, target_modules=["q_proj", "v_proj"], rank_pattern={"v_proj": 4}),
    "IA3": IA3Config(target_modules=["k_proj", "down_proj"], feedforward_modules=["down_proj"]),
    "LoHa": LoHaConfig(r=2, target_modules=["q_proj"]),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_adapters_of_others_are_taken(folder: Path, tmp_path: Path, kind: str) -> None:
    model = LlavaForConditionalGeneration.from_pretrained(folder)
    adapted = get_peft_model(model, OTHERS[kind])
    for parameter in adapted.parameters():
        if parameter.requires_grad:
            parameter.data += torch.randn_like(parameter) * 0.2
    adapted.save_pretrained(str(tmp_path / "theirs"), save_embedding_layers=True)  # as PEFT does by itself
    loaded = load(str(folder), adapter=tmp_path / "theirs", dtype="float32", device="cpu")
    torch.testing.assert_close(loaded.model(IDS).logits, adapted.eval()(IDS).logits, rtol=1e-4, atol=1e-4)


def test_an_adapter_of_eight_bits_is_taken(folder: Path, adapter: Path) -> None:
    weights = load_file(adapter / "adapter_model.safetensors")
    small = {name: value.to(torch.float8_e4m3fn) for name, value in weights.items()}
    save_file(small, adapter / "adapter_model.safetensors")
    load(str(folder), adapter=adapter, device="cpu")


@pytest.mark.parametrize("noted", [True, False], ids=["by its logits", "by its name"])
def test_an_adapter_for_another_model_of_equal_shapes(folder: Path, adapter: Path, tmp_path: Path, noted: bool) -> None:
    other = tiny_random.load(seed=5)
    other.model.save_pretrained(tmp_path / "other")
    other.processor.save_pretrained(tmp_path / "other")
    if noted:
        loaded = tiny_random.load()
        note_base(adapter, known_by(loaded.model, loaded.processor))
    else:
        file = adapter / "adapter_config.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), "base_model_name_or_path": str(folder)}))
    load(str(folder), adapter=adapter, dtype="bfloat16")
    load(str(shutil.copytree(folder, tmp_path / "copy")), adapter=adapter, dtype="float32")
    with pytest.raises(UserError, match="made for"):
        load(str(tmp_path / "other"), adapter=adapter)


ENDLESS = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
DOUBLED = "{% set n = namespace(x='a' * 1000) %}{% for i in range(40) %}{% set n.x = n.x ~ n.x %}{% endfor %}"


@pytest.mark.parametrize(
    ("program", "told"),
    [
        (ENDLESS, "computes for more than"),
        ("{{ 'a' * 10 ** 9 }}", "takes more than"),
        (DOUBLED, "takes more than"),
        ("{{ 'a' * 10 ** 6 }}", "writes more than"),
        ("{% if messages[0]['content'][0]['type'] == 'image' %}{{ 'a' * 10 ** 9 }}{% endif %}", "takes more than"),
    ],
)
def test_a_chat_template_that_does_not_end_is_told_before_the_weights_are_read(
    folder: Path, program: str, told: str
) -> None:
    template = folder / "chat_template.jinja"
    template.write_text(program + template.read_text(encoding="utf-8"), encoding="utf-8")
    (folder / "model.safetensors").unlink()
    with pytest.raises(UserError) as raised:
        load(str(folder), device="cpu")
    assert str(raised.value).startswith(f"model {folder}: its chat template {told}")
    assert "\n" not in str(raised.value)


def lacking(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    tensors.pop(min(tensors))
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def with_code(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "own.Config"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text("raise SystemExit('run')")


def pointer(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_text("version https://git-lfs.github.com/spec/v1\n") and None


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lacking, "1 tensors are missing in its weights, such as"),
        (with_code, "custom code"),
        (pointer("model.safetensors"), "model.safetensors: a Git LFS pointer"),
        (pointer("tokenizer.json"), "tokenizer.json: a Git LFS pointer"),
        (pointer("config.json"), "config.json: a Git LFS pointer"),
    ],
)
def test_a_model_that_is_not_whole_or_brings_code(
    folder: Path, spoil: Callable[[Path], None], told: str, capfd: pytest.CaptureFixture[str]
) -> None:
    spoil(folder)
    with pytest.raises(UserError, match=told):
        load(str(folder), device="cpu")
    assert "[y/N]" not in capfd.readouterr().out

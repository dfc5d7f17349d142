"""A direction taken out of an adapter is the dense edit of the weights, and nothing else of the model changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from peft.utils import CONFIG_NAME

from safeeraser.errors import UserError
from safeeraser.models.adapters import write_ablated
from safeeraser.models.adapters.ablate import MANIFEST, ablated, check_plain_lora
from safeeraser.models.hidden import direction, last_states, orthogonal, without, writers
from safeeraser.models.load import LoadedModel, load
from tests import tiny_random
from tests.runs.pipeline import world

WIDTH = 32
PROJECTED = {"modules_to_save": ["multi_modal_projector"]}
PATTERNS = {"rank_pattern": {"o_proj": 3}, "alpha_pattern": {"layers.1.mlp.down_proj": 9}}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(world.write_model(tmp_path_factory.mktemp("ablate") / "model"))


def adapter(folder: Path, **options: Any) -> Path:
    """An adapter of random weights; on o_proj and q_proj unless told otherwise."""
    config = LoraConfig(**{"r": 2, "lora_alpha": 6, "target_modules": ["o_proj", "q_proj"], **options})
    adapted = get_peft_model(tiny_random.load().model, config)
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in (each for each in adapted.parameters() if each.requires_grad):
            weight.add_(0.1 * torch.randn_like(weight))
    adapted.save_pretrained(folder, save_embedding_layers=False)
    return folder


def away() -> torch.Tensor:
    vector = torch.randn(WIDTH, generator=torch.Generator().manual_seed(2))
    return vector / vector.norm()


def weights(loaded: LoadedModel) -> dict[str, torch.Tensor]:
    return {name: each.clone() for name, each in loaded.model.state_dict().items()}


@pytest.mark.parametrize("strength", [0.3, 1.0])
@pytest.mark.parametrize(
    "options",
    [
        {},
        PROJECTED,
        PATTERNS | {"target_modules": ["o_proj", "down_proj"]},
        {"use_rslora": True},
        {"target_modules": r".*language_model\..*\.(q_proj|down_proj)"},
        {"target_modules": ["q_proj"], "layers_to_transform": [1], "layers_pattern": "layers"},
        {"exclude_modules": ["o_proj"], "target_modules": "all-linear"},
    ],
    ids=["two of them", "projector", "patterns", "rslora", "pattern of names", "one layer", "all but one"],
)
def test_it_is_the_dense_edit_of_the_weights(
    model: str, tmp_path: Path, options: dict[str, Any], strength: float
) -> None:
    loaded = load(model, adapter=adapter(tmp_path / "adapter", **options), dtype="float32")
    names = {f"{name}.weight" for name in writers(loaded.model)}
    before = weights(loaded)

    made = write_ablated(loaded, away(), strength, tmp_path / "made", {"inputs": {}}, {"model": model})
    after = weights(load(model, adapter=made, dtype="float32"))

    assert before.keys() == after.keys()
    assert len(names) == 4
    for name, weight in before.items():
        wanted = without(weight, away(), strength) if name in names else weight
        torch.testing.assert_close(after[name], wanted, rtol=1e-5, atol=2e-6)
        if name in names:
            assert not torch.allclose(after[name], weight, atol=1e-3)
            torch.testing.assert_close(away() @ after[name], (1 - strength) * (away() @ weight), rtol=1e-4, atol=1e-5)


def test_what_the_layers_write_loses_that_share_of_the_direction(model: str, tmp_path: Path) -> None:
    loaded = load(model, adapter=adapter(tmp_path / "adapter"), dtype="float32")
    made = write_ablated(loaded, away(), 0.75, tmp_path / "made", {"inputs": {}}, {"model": model})
    ablated = load(model, adapter=made, dtype="float32")
    read = torch.randn(5, WIDTH, generator=torch.Generator().manual_seed(3))
    name = next(name for name in writers(loaded.model) if name.endswith("o_proj"))
    written, now = (each.model.get_submodule(name)(read) for each in (loaded, ablated))
    torch.testing.assert_close(now @ away(), 0.25 * (written @ away()), rtol=1e-4, atol=1e-5)
    across = orthogonal(torch.eye(WIDTH)[0], away())
    torch.testing.assert_close(now @ across, written @ across, rtol=1e-4, atol=1e-5)


def test_the_folder_says_what_it_was_made_from_and_is_written_once(model: str, tmp_path: Path) -> None:
    given = adapter(tmp_path / "adapter")
    (given / "base.json").write_text('{"logits": [1.0]}')
    loaded = load(model, dtype="float32")
    loaded = LoadedModel(loaded.model, loaded.processor, model, given)
    made = write_ablated(loaded, away(), 1.0, tmp_path / "made", {"inputs": {"seed": 7}}, {"model": model})
    assert json.loads((made / MANIFEST).read_text()) == {"inputs": {"seed": 7}}
    assert (made / "base.json").read_bytes() == (given / "base.json").read_bytes()
    assert (made / "README.md").is_file()
    with pytest.raises(UserError, match="exists already"):
        write_ablated(loaded, away(), 1.0, made, {}, {})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"use_dora": True}, "LoRA with use_dora has no room"),
        ({"lora_bias": True}, "LoRA with lora_bias has no room"),
        ({"peft_type": "LOHA"}, "LOHA has no room"),
    ],
)
def test_other_adapters_are_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = adapter(tmp_path / "adapter") / CONFIG_NAME
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(UserError, match=message):
        check_plain_lora(path.parent)


def test_lora_on_an_embedding_is_refused(tmp_path: Path) -> None:
    given = adapter(tmp_path / "adapter", target_modules=["o_proj", "embed_tokens"])
    with pytest.raises(UserError, match="LoRA on an embedding has no room for a direction; LoRA on linear layers has"):
        check_plain_lora(given)


def test_of_a_layer_a_vector_is_kept_and_no_copy_of_its_weights(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy of all writing layers in float32 is 8 GB for a model of 7B."""
    loaded = load(model, adapter=adapter(tmp_path / "adapter"), dtype="bfloat16")
    inner = {name: layer.in_features for name, layer in writers(loaded.model).items()}
    kept: dict[str, torch.Size] = {}

    def spy(tensors: Any, config: Any, read: Any, *given: Any) -> Any:
        kept.update({name: each.shape for name, each in read.items()})
        return ablated(tensors, config, read, *given)

    monkeypatch.setattr("safeeraser.models.adapters.ablate.ablated", spy)
    write_ablated(loaded, away(), 1.0, tmp_path / "made", {}, {})
    assert kept == {name: (width,) for name, width in inner.items()}


def test_a_model_without_an_adapter_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no adapter is merged"):
        write_ablated(tiny_random.load(), away(), 1.0, tmp_path / "made", {}, {})


def test_a_direction_beside_another_is_orthogonal_to_it_and_in_their_plane() -> None:
    one, other = torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.6, 0.8, 0.0])
    torch.testing.assert_close(orthogonal(one, other), torch.tensor([0.8, -0.6, 0.0]))
    torch.testing.assert_close(orthogonal(one, torch.tensor([0.0, 1.0, 0.0])), one)
    torch.testing.assert_close(orthogonal(one, other, 0.0), one)
    half = torch.tensor([0.82, -0.24, 0.0])  # 1 - 0.5 x 0.6 x 0.6, -0.5 x 0.6 x 0.8
    torch.testing.assert_close(orthogonal(one, other, 0.5), half / half.norm())
    with pytest.raises(UserError, match="nothing is left"):
        orthogonal(one, one)


def test_weights_without_half_of_a_direction() -> None:
    weight, along = torch.tensor([[2.0, 4.0], [1.0, 3.0]]), torch.tensor([1.0, 0.0])
    assert without(weight, along, 0.5).tolist() == [[1.0, 2.0], [1.0, 3.0]]


def test_behind_ablated_layers_the_direction_is_what_the_embeddings_had(tmp_path: Path) -> None:
    """With all of it taken out nothing is added along the direction: later states have that of the first."""
    loaded, asked = tiny_random.load(), tiny_random.examples(tmp_path, 2)
    for layer in writers(loaded.model).values():
        layer.weight.data.copy_(without(layer.weight.data, away()))
    states = last_states(loaded, asked) @ away()
    torch.testing.assert_close(states[1], states[0], rtol=1e-4, atol=1e-4)
    assert direction(torch.ones(2, WIDTH), torch.zeros(3, WIDTH)).norm().item() == pytest.approx(1)

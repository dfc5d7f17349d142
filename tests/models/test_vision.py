"""Cached features give the model what the pixels would."""

from pathlib import Path

import pytest
import torch

from safeeraser.models.chat import ChatTokenizer, pad
from safeeraser.models.features import Features, fingerprint
from safeeraser.models.load import LoadedModel
from safeeraser.models.vision import VisionFeatures
from tests import tiny_random


@pytest.fixture
def loaded() -> LoadedModel:
    return tiny_random.load()


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    return list(dict.fromkeys(each.image for each in tiny_random.examples(tmp_path, 3) if each.image))


def logits(loaded: LoadedModel, chat: ChatTokenizer, images: list[Path], **pictures: object) -> torch.Tensor:
    rows = [chat.prompt("What is it?", image) for image in images] + [chat.prompt("Hello there, you", None)]
    ids, mask = pad(rows, chat.pad_id)
    with torch.no_grad():
        return loaded.model(input_ids=ids, attention_mask=mask, **pictures).logits[mask.bool()]


@pytest.mark.parametrize("limit", [0, 1500, 2**20])
def test_cached_features_equal_the_plain_forward(loaded: LoadedModel, images: list[Path], limit: int) -> None:
    chat = ChatTokenizer.of(loaded)
    vision = VisionFeatures(loaded.model, chat, Features(limit_bytes=limit))
    rows = [*images, images[0]]
    plain = logits(loaded, chat, rows, **chat.pixels(rows))
    for _ in range(2):  # filling the cache, and from it
        inputs = vision.inputs(rows)
        assert "pixel_values" not in inputs
        torch.testing.assert_close(logits(loaded, chat, rows, **inputs), plain, atol=1e-5, rtol=0)


def test_the_tower_sees_each_picture_once(loaded: LoadedModel, images: list[Path]) -> None:
    vision = VisionFeatures(loaded.model, ChatTokenizer.of(loaded))
    seen: list[int] = []
    loaded.model.model.vision_tower.register_forward_hook(lambda _tower, args, _out: seen.append(len(args[0])))
    for _ in range(3):
        vision.inputs([images[0], *images])
    assert seen == [1] * len(images)


def test_kept_features_depend_on_the_picture_alone(loaded: LoadedModel, images: list[Path]) -> None:
    tiny_random.round_by_batch(loaded)

    def projected(size: int) -> torch.Tensor:
        vision = VisionFeatures(loaded.model, ChatTokenizer.of(loaded))
        for start in range(0, len(images), size):
            vision.inputs(images[start : start + size])
        return torch.stack(list(vision.inputs(images)["mm_encoder_outputs"]["image"].pooler_output))

    whole = projected(len(images))
    assert torch.equal(projected(1), whole)
    assert torch.equal(projected(4), whole)


def test_features_not_to_be_kept_are_worked_out_together(loaded: LoadedModel, images: list[Path]) -> None:
    vision = VisionFeatures(loaded.model, ChatTokenizer.of(loaded), Features(limit_bytes=0))
    seen: list[int] = []
    loaded.model.model.vision_tower.register_forward_hook(lambda _tower, args, _out: seen.append(len(args[0])))
    vision.inputs(images)
    assert seen == [len(images)]


def test_a_trained_projector_gets_its_gradient(loaded: LoadedModel, images: list[Path]) -> None:
    projector = loaded.model.model.multi_modal_projector.requires_grad_(True)
    features = VisionFeatures(loaded.model, ChatTokenizer.of(loaded)).inputs(images)["mm_encoder_outputs"]["image"]
    torch.stack(features.pooler_output).sum().backward()
    assert projector.linear_1.weight.grad.abs().sum() > 0


def test_other_families_get_their_pixels(loaded: LoadedModel, images: list[Path]) -> None:
    chat = ChatTokenizer.of(loaded)
    plain = loaded.model.get_image_features

    def pooled(**pixels: torch.Tensor) -> object:
        output = plain(**pixels)
        output.pooler_output = [feature * 2 for feature in output.pooler_output]
        return output

    loaded.model.get_image_features = pooled
    inputs = VisionFeatures(loaded.model, chat).inputs(images)
    assert torch.equal(inputs["pixel_values"], chat.pixels(images)["pixel_values"])


def test_no_pictures_no_inputs(loaded: LoadedModel) -> None:
    assert VisionFeatures(loaded.model, ChatTokenizer.of(loaded)).inputs([]) == {}


def test_models_with_one_store_see_a_picture_once_until_its_file_is_written_anew(
    loaded: LoadedModel, images: list[Path]
) -> None:
    chat = ChatTokenizer.of(loaded)
    seen: list[int] = []
    loaded.model.model.vision_tower.register_forward_hook(lambda _tower, args, _out: seen.append(len(args[0])))
    for _ in range(2):
        VisionFeatures(loaded.model, chat, loaded.features).inputs(images)
    assert seen == [1] * len(images)
    images[0].write_bytes(images[1].read_bytes() + b" ")
    anew = VisionFeatures(loaded.model, ChatTokenizer.of(loaded), loaded.features).inputs(images[:2])
    assert seen == [1] * (len(images) + 1)
    assert torch.equal(*anew["mm_encoder_outputs"]["image"].pooler_output)


def test_a_tower_is_known_by_its_weights(loaded: LoadedModel) -> None:
    tower = loaded.model.model.vision_tower
    before = fingerprint(tower)
    loaded.model.get_decoder().layers[0].mlp.up_proj.weight.data.add_(1)
    assert fingerprint(tower) == before == fingerprint(tiny_random.load().model.model.vision_tower)
    next(tower.parameters()).data.view(-1)[0] += 1e-3
    assert fingerprint(tower) != before

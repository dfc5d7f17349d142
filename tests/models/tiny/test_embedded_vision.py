"""The vision tower equals the network in the ONNX file, which onnxruntime runs."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from transformers import Dinov2Model

from safeeraser.models.tiny.vision import read_weights, vision_config
from safeeraser.models.tiny.weights import WeightsError, pretrained


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    """Return normalised pictures (4, 3, 224, 224): noise, smooth waves, a black one and a square on white."""
    waves = np.sin(np.linspace(0, 20, 224))[None, :, None] * np.cos(np.linspace(0, 9, 224))[None, None, :]
    square = np.full((3, 224, 224), 2.4)
    square[:, 60:150, 90:180] = -1.0
    noise = np.random.default_rng(0).normal(size=(3, 224, 224))
    return np.stack([noise, np.repeat(waves, 3, axis=0), np.full((3, 224, 224), -2.0), square]).astype(np.float32)


@pytest.fixture(scope="module")
def expected(onnx_file, pictures) -> np.ndarray:
    """Return the backbone's last hidden state (4, 257, 384), made an output of the graph."""
    network = onnx.load(str(onnx_file))
    last = next(node for node in network.graph.node if "backbone.layernorm.bias" in node.input)
    del network.graph.output[:]
    network.graph.output.append(onnx.helper.make_tensor_value_info(last.output[0], onnx.TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(network.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(None, {"input_image": picture[None]})[0] for picture in pictures])


def test_its_last_hidden_state_equals_the_one_of_the_onnx_network(parts, pictures, expected):
    with torch.no_grad():
        actual = parts[1](torch.from_numpy(pictures)).last_hidden_state.numpy()
    assert actual.shape == expected.shape == (4, 257, 384)
    difference = np.abs(actual - expected).max()
    print(f"largest difference {difference:.1e}")
    assert difference < 1e-3
    assert expected.std() > 1  # so that 1e-3 is small


def test_a_missing_or_foreign_weight_is_an_error(onnx_file):
    weights = read_weights(onnx_file)
    weights["foreign.weight"] = weights.pop("layernorm.weight")
    with pytest.raises(WeightsError, match=r"foreign\.weight, layernorm\.weight"):
        pretrained(Dinov2Model, vision_config(), weights)


def test_the_assembled_model_carries_the_same_tower(parts, model):
    ours, source = model.model.vision_tower.state_dict(), parts[1].state_dict()
    assert ours.keys() == source.keys()
    assert all(torch.equal(ours[name], source[name]) for name in source)


def test_llava_takes_the_features_before_the_last_layernorm(model, pictures):
    """What makes the projector's input: were it to change with transformers, the trained projector would be wrong."""
    tower = model.model.vision_tower
    with torch.no_grad():
        output = tower(torch.from_numpy(pictures[:1]), output_hidden_states=True)
        features = model.model.multi_modal_projector(output.hidden_states[-1][:, 1:])
        image_features = model.model.get_image_features(torch.from_numpy(pictures[:1])).pooler_output
        assert torch.allclose(tower.layernorm(output.hidden_states[-1]), output.last_hidden_state, atol=1e-5)
        assert torch.allclose(torch.cat(list(image_features)), features[0], atol=1e-5)

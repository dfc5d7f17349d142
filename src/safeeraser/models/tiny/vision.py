"""The vision tower: a DINOv2 ViT-S/14 (arXiv 2304.07193) read out of an ONNX file into a plain `Dinov2Model`."""

from pathlib import Path

import onnx
import torch
from onnx import numpy_helper
from torch import Tensor
from transformers import Dinov2Config, Dinov2Model

from safeeraser.models.tiny.weights import pretrained

PATCH_SIZE = 14
IMAGE_MEAN, IMAGE_STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]  # of ImageNet, as in its training

_PREFIX = "backbone."
_WIDTH = 384
_PATCHES = 37 * 37  # positions of the 518 px pictures it was trained on; other sizes interpolate them


def vision_config() -> Dinov2Config:
    """The architecture of ViT-S/14: 12 layers, 384 wide, 6 heads."""
    return Dinov2Config(
        hidden_size=_WIDTH,
        num_hidden_layers=12,
        num_attention_heads=6,
        image_size=518,
        patch_size=PATCH_SIZE,
        use_mask_token=False,
    )


def vision_tower(onnx_file: Path) -> Dinov2Model:
    """Return the tower in fp32; its last hidden state equals that of the ONNX backbone."""
    return pretrained(Dinov2Model, vision_config(), read_weights(onnx_file))


def read_weights(onnx_file: Path) -> dict[str, Tensor]:
    """Return the backbone's tensors under the names of the released Dinov2 checkpoints.

    The exporter kept most names but not those of linear weights, which are anonymous and transposed: the `Add` that
    follows their `MatMul` has a named bias, which names the weight. Positions are two more anonymous constants.
    """
    graph = onnx.load(str(onnx_file)).graph
    tensors = {item.name: torch.from_numpy(numpy_helper.to_array(item).copy()) for item in graph.initializer}
    weights = {name.removeprefix(_PREFIX): tensors[name] for name in tensors if name.startswith(_PREFIX)}
    for bias, weight in _linear_layers(graph, tensors):
        weights[bias.removeprefix(_PREFIX).removesuffix("bias") + "weight"] = tensors[weight].T.contiguous()
    weights["embeddings.position_embeddings"] = _positions(tensors)
    return weights


def _linear_layers(graph: onnx.GraphProto, tensors: dict[str, Tensor]) -> list[tuple[str, str]]:
    """Return (name of the bias, anonymous name of the weight) of every linear layer of the backbone."""
    products = {node.output[0]: node.input[1] for node in graph.node if node.op_type == "MatMul"}
    pairs = []
    for node in graph.node:
        bias = next((name for name in node.input if name in tensors and name.startswith(_PREFIX)), None)
        product = next((name for name in node.input if name in products), None)
        if node.op_type == "Add" and bias and product:
            pairs.append((bias, products[product]))
    return pairs


def _positions(tensors: dict[str, Tensor]) -> Tensor:
    """Join the positions of class token and patches to shape (1, 1 + patches, width)."""
    anonymous = {tuple(value.shape): value for name, value in tensors.items() if name.startswith("onnx::")}
    return torch.cat([anonymous[1, 1, _WIDTH], anonymous[1, _PATCHES, _WIDTH]], dim=1)

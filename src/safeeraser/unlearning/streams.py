"""One padded batch -> what the losses see of each target's stream, of the model and of the model before unlearning."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import torch
from accelerate.utils import extract_model_from_parallel
from torch import Tensor, nn

from safeeraser.models.forward import CELLS, answer_output, packed, pieces
from safeeraser.models.packing import groups
from safeeraser.models.vision import VisionFeatures
from safeeraser.objectives import Need, StreamOutput, Target
from safeeraser.objectives.stream import present
from safeeraser.unlearning.sharding import weights_are_sharded

Needs = Mapping[Target, Need]
_NOTHING: Needs = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class _Part:
    """What goes through the model at once, and the batch's rows whose answers stand in it, in order."""

    inputs: dict[str, Any]
    ids: Tensor
    answers: Tensor
    rows: Sequence[int]


def stream_outputs(
    model: nn.Module,
    batch: dict[str, Any],
    vision: VisionFeatures,
    needs: Needs = _NOTHING,
    layers: Collection[int] = (),
) -> dict[Target, StreamOutput]:
    """Every target's stream, from one forward of the whole batch: log-probabilities, and what `needs` names besides.

    Only positions that predict an answer token go through the language model's head, and only their hidden states
    behind the decoder layers `layers` are kept. Of a batch with `chats`, those about one picture share its tokens;
    where no two are, its rows go through the model as they are.
    """
    predicted = batch["answer_mask"]
    order: list[int] = []
    outputs, states = [], []
    shares = "chats" in batch and len(groups(batch["chats"], vision.chat)) < len(batch["chats"])
    for part in _packed(batch, vision) if shares else _padded(batch, vision):
        with _layer_outputs(model, layers) as found:
            outputs.append(answer_output(model, part.inputs, part.ids, part.answers))
        predicting = part.answers.roll(-1, dims=1)
        states.append({layer: each[predicting].float() for layer, each in found.items()})
        order += part.rows
    logits, ids, values = (
        _by_row([getattr(output, name) for output in outputs], order, predicted)
        for name in ("logits", "ids", "logprobs")
    )
    hidden = {layer: _by_row([each[layer] for each in states], order, predicted) for layer in layers}
    logprobs = values.new_zeros(predicted.shape).masked_scatter(predicted, values)
    whole = StreamOutput(logprobs, predicted, logits, ids, hidden)
    count = len(batch["targets"])
    rivals = batch["rivals"].chunk(count) if "rivals" in batch else [None] * count
    parts = zip(batch["targets"], _split(whole, count), rivals, strict=True)
    return {
        target: _needed(replace(part, rival=rival), needs.get(target, Need.NOTHING)) for target, part, rival in parts
    }


def _padded(batch: dict[str, Any], vision: VisionFeatures) -> Iterator[_Part]:
    """The rows of a batch, in pieces without the padding that they do not need: one may be much longer than others."""
    lengths = batch["attention_mask"].sum(dim=1).tolist()
    for piece in pieces(lengths, _limit()):
        width = max(lengths[piece])
        ids, attention, answers = (
            batch[name][piece, :width] for name in ("input_ids", "attention_mask", "answer_mask")
        )
        inputs = vision.batch(ids, attention, batch["images"][piece], answers)
        yield _Part(inputs, ids, answers, range(len(lengths))[piece])


def _packed(batch: dict[str, Any], vision: VisionFeatures) -> Iterator[_Part]:
    """The chats of a batch, those about one picture in one sequence."""
    for found in packed(batch["chats"], vision.chat, batch["answer_mask"].device, _limit()):
        yield _Part(vision.packed(found), found.ids, found.answers, found.chats)


def _limit() -> float:
    """Weights that are spread over processes have to be gathered equally often in all: nothing is cut in pieces."""
    return math.inf if weights_are_sharded() else CELLS


def _by_row(values: Sequence[Tensor], order: Sequence[int], answers: Tensor) -> Tensor:
    """What there is for each answer token, given in this order of rows, in the order of the rows."""
    whole = torch.cat(list(values))
    if order == sorted(order):
        return whole
    counts = answers.sum(dim=1).tolist()
    parts = dict(zip(order, whole.split([counts[row] for row in order]), strict=True))
    return torch.cat([parts[row] for row in range(len(order))])


def _split(whole: StreamOutput, count: int) -> Iterator[StreamOutput]:
    """The streams of a batch in which the rows of `count` targets lie below each other."""
    end = 0
    for logprobs, mask in zip(whole.logprobs.chunk(count), whole.mask.chunk(count), strict=True):
        start, end = end, end + int(mask.sum())
        tokens = slice(start, end)
        hidden = {layer: states[tokens] for layer, states in whole.hidden.items()}
        yield StreamOutput(logprobs, mask, present(whole.logits)[tokens], present(whole.ids)[tokens], hidden)


def _needed(stream: StreamOutput, need: Need) -> StreamOutput:
    """The stream without what its losses do not read, so that it is not kept and cannot be read unawares."""
    bare = StreamOutput(stream.logprobs, stream.mask)
    if Need.LOGITS in need:
        bare = replace(bare, logits=stream.logits, ids=stream.ids)
    if Need.RIVAL in need:
        bare = replace(bare, rival=stream.rival)
    return replace(bare, hidden=stream.hidden) if Need.HIDDEN in need else bare


def reference_outputs(
    model: nn.Module, batch: dict[str, Any], vision: VisionFeatures, needs: Needs, layers: Collection[int] = ()
) -> dict[Target, StreamOutput]:
    """The streams whose losses need a reference, as the model before unlearning sees them, without gradient.

    It is the same model with its PEFT adapter switched off, the projector's included: no second copy. Where weights are
    spread over processes, all rows are seen, of which one has a picture: one that leaves the vision tower out would let
    the others wait.
    """
    targets = [target for target in batch["targets"] if Need.REFERENCE in needs.get(target, Need.NOTHING)]
    if not targets:
        return {}
    training = model.training
    model.eval()
    try:
        with torch.no_grad(), extract_model_from_parallel(model).disable_adapter():
            seen = batch if weights_are_sharded() else only(batch, targets)
            outputs = stream_outputs(model, seen, vision, needs, layers)
            return {target: outputs[target] for target in targets}
    finally:
        model.train(training)


@contextmanager
def _layer_outputs(model: nn.Module, layers: Collection[int]) -> Iterator[dict[int, Tensor]]:
    """Fills, during a forward, the hidden states [batch, time, width] behind each of these decoder layers.

    They are kept as they are: what is computed in a hook would be missed when activations are checkpointed.
    """
    found: dict[int, Tensor] = {}

    def keep(layer: int, output: Any) -> None:
        found[layer] = output if isinstance(output, Tensor) else output[0]

    blocks = extract_model_from_parallel(model).get_decoder().layers if layers else ()
    hooks = [
        blocks[layer].register_forward_hook(lambda _module, _args, output, layer=layer: keep(layer, output))
        for layer in layers
    ]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def only(batch: dict[str, Any], targets: Collection[Target]) -> dict[str, Any]:
    """The rows of some of a batch's targets, as wide as before."""
    rows = len(batch["input_ids"]) // len(batch["targets"])
    starts = [rows * place for place, target in enumerate(batch["targets"]) if target in targets]
    kept = [start + row for start in starts for row in range(rows)]
    names = ("input_ids", "attention_mask", "answer_mask", "rivals")
    tensors = {name: batch[name][kept] for name in names if name in batch}
    lists: dict[str, Any] = {name: [batch[name][row] for row in kept] for name in ("images", "chats") if name in batch}
    return {**tensors, **lists, "targets": [target for target in batch["targets"] if target in targets]}

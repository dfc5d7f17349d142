"""A model without its weights, on the meta device: its own code runs there, and what it would keep and do is counted.

So an estimate follows whatever family, adapter, precision and attention there is, without formulas of its own.
"""

from __future__ import annotations

import inspect
import re
import weakref
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import chain
from typing import Any

import torch
import torch._meta_registrations  # shapes of fused attention, which nothing else may have loaded yet
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry
from transformers import AttentionInterface, AutoModelForImageTextToText, PreTrainedConfig, PreTrainedModel

from safeeraser.models.lora import attach, projector_name
from safeeraser.models.quantised import WHOLE
from safeeraser.settings import Projector
from safeeraser.unlearning.settings import UnlearnSettings

NF4_BITS = 4 + 8 / 64 + 32 / (64 * 256)
"""Bits of a weight in four bits with its scales, which are quantised again (arXiv 2305.14314)."""
_FUSED = "fused_without_values"
_LAYERS = (2, 4)  # layers that are run; others are like them, so memory and operations go on in a straight line
_META = torch.device("meta")

Shapes = tuple[tuple[str, tuple[int, ...]], ...]
"""Tensors by name, without their values."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows padded to so many tokens, with `answers` answer tokens and `pictures` pictures in all of them."""

    rows: int
    tokens: int
    answers: int = 0
    pictures: int = 0


@dataclass(frozen=True, slots=True)
class Cost:
    """What a piece of work takes: bytes at its peak beside the weights, bytes still kept afterwards, operations."""

    peak: float
    kept: float
    flops: float

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.peak + other.peak, self.kept + other.kept, self.flops + other.flops)

    def __mul__(self, factor: float) -> Cost:
        return Cost(self.peak * factor, self.kept * factor, self.flops * factor)


@dataclass(frozen=True, slots=True)
class Parts:
    """Bytes of a model's weights, by what they belong to; `layer` is the largest of the decoder's layers."""

    vision: float
    projector: float
    layers: float
    layer: float
    vocabulary: float
    """Embeddings, head and whatever else there is."""

    @property
    def total(self) -> float:
        """All of them."""
        return self.vision + self.projector + self.layers + self.vocabulary


@dataclass(frozen=True, slots=True)
class Adapter:
    """What of an adapter decides how much a step keeps; `layers` None: on all of them."""

    r: int
    dropout: float
    layers: int | None
    projector: Projector

    @classmethod
    def of(cls, settings: UnlearnSettings) -> Adapter:
        """The adapter of these settings."""
        return cls(settings.lora_r, settings.lora_dropout, settings.lora_layers, settings.projector)


@dataclass(frozen=True, slots=True)
class Step:
    """How a forward and a backward pass is made.

    `eager`: attention writes down its scores; `checkpointed`: activations are computed again. Losses read whole
    distributions of `distributions` of the answer tokens, and of the model before.
    """

    adapter: Adapter
    eager: bool
    checkpointed: bool
    distributions: int = 0


class Outline:
    """A model of a configuration. `quantised`: its language model's linear layers are in four bits."""

    def __init__(self, config: PreTrainedConfig, dtype: torch.dtype, *, quantised: bool = False) -> None:
        self._config = deepcopy(config)  # it is changed, such as by another kind of attention
        self._dtype, self._quantised = dtype, quantised

    @cached_property
    def _whole(self) -> PreTrainedModel:
        with _META:
            return self._made()

    def _made(self) -> PreTrainedModel:
        model: PreTrainedModel = AutoModelForImageTextToText.from_config(self._config, dtype=self._dtype)
        return model.requires_grad_(False)

    @cached_property
    def layers(self) -> int:
        """Layers of the language model."""
        return len(self._whole.get_decoder().layers)

    @cached_property
    def parameters(self) -> int:
        """Weights in all, those that are shared once."""
        return sum(each.numel() for each in self._whole.parameters())

    @property
    def itemsize(self) -> int:
        """Bytes of a number in the precision that is computed with."""
        return self._dtype.itemsize

    @cached_property
    def parts(self) -> Parts:
        """Bytes of the weights."""
        model, seen = self._whole, set[int]()

        def taken(module: nn.Module | None, name: str = "") -> float:
            fresh = [] if module is None else [each for each in module.named_parameters() if id(each[1]) not in seen]
            seen.update(id(each) for _, each in fresh)
            return sum(self._bytes(f"{name}.{own}", each) for own, each in fresh)

        decoder, projector = model.get_decoder(), projector_name(model)
        projecting = taken(model.get_submodule(projector) if projector else None, projector or "")
        seeing = taken(model.get_encoder(modality="image"), "vision_tower")
        each_layer = [taken(layer, "layers") for layer in decoder.layers]
        return Parts(seeing, projecting, sum(each_layer), max(each_layer), taken(model))

    def _bytes(self, name: str, weight: Tensor) -> float:
        four = self._quantised and weight.dim() == 2 and name.startswith("layers.") and not _is_whole(name)
        return weight.numel() * NF4_BITS / 8 if four else weight.nbytes

    @cached_property
    def dequantised(self) -> float:
        """Bytes of the largest linear layer in four bits, which is made whole when it is used."""
        sizes = [each.nbytes for layer in self._whole.get_decoder().layers for each in layer.parameters()]
        return max(sizes) if self._quantised else 0

    @cache  # noqa: B019  an outline lives as long as its estimate
    def trained(self, adapter: Adapter) -> int:
        """How many numbers an adapter trains."""
        return round(self._over_layers(adapter, lambda model: Cost(_trained(model), 0, 0)).peak)

    @cache  # noqa: B019
    def step(self, batch: Batch, step: Step) -> Cost:
        """A forward and a backward pass of a batch in training, the reference's forward not included.

        Layers below those that are trained keep nothing, and are only gone through forwards.
        """
        cost = self._over_layers(step.adapter, lambda model: self._train(model, batch, step))
        below = self.layers - min(step.adapter.layers or self.layers, self.layers)
        return cost + Cost(0, 0, self.forward(batch).flops * below / self.layers) if below else cost

    @cache  # noqa: B019
    def forward(self, batch: Batch, *, cached: bool = False) -> Cost:
        """A forward pass without gradient; `cached` keys and values stay, and only the last token is predicted."""
        return self._over_layers(None, lambda model: self._answer(model, batch, cached))

    @cache  # noqa: B019
    def sight(self, pixels: Shapes, tokens: int) -> Cost:
        """What the vision tower does for one picture: `kept` are the bytes that are remembered of it.

        `pixels` are the shapes of what the processor makes of it, and `tokens` how many of the prompt stand for it.
        A family whose tower cannot be run without values is reckoned by its weights, and keeps nothing.
        """
        model: Any = self._whole
        inputs = {name: torch.empty(shape, dtype=self._dtype, device=_META) for name, shape in pixels}
        tower = sum(each.numel() for each in model.get_encoder(modality="image").parameters())
        projector = projector_name(model)
        takes_features = "mm_encoder_outputs" in inspect.signature(model.forward).parameters
        if projector is None or {*inputs} != {"pixel_values"} or not takes_features:
            return Cost(0, 0, 2 * tower * tokens)
        given: list[Tensor] = []
        hook = model.get_submodule(projector).register_forward_hook(lambda *call: given.append(call[1][0]))
        try:
            with torch.no_grad(), counted(model) as count:
                model.get_image_features(**inputs, return_dict=True)
        except (RuntimeError, TypeError, ValueError):
            return Cost(0, 0, 2 * tower * tokens)
        finally:
            hook.remove()
        return Cost(count.peak, sum(each.nbytes for each in given), count.flops)

    def _over_layers(self, adapter: Adapter | None, work: Callable[[PreTrainedModel], Cost]) -> Cost:
        """Work on a few layers, drawn on to all of them, or to those that the adapter trains."""
        trained = min((adapter and adapter.layers) or self.layers, self.layers)
        few, more = _LAYERS if trained > _LAYERS[1] else (trained, trained)
        first: Cost = work(self._cut(few, adapter))
        if few == more:
            return first
        second: Cost = work(self._cut(more, adapter))
        return first + (second + first * -1) * ((trained - few) / (more - few))

    @cache  # noqa: B019
    def _cut(self, layers: int, adapter: Adapter | None) -> PreTrainedModel:
        """The model with the first of its layers and, for training, a fresh adapter on them."""
        with _META:
            model = self._made()
            decoder = model.get_decoder()
            decoder.layers = decoder.layers[:layers]
            if adapter is not None:
                adapted = attach(
                    model, r=adapter.r, alpha=adapter.r, dropout=adapter.dropout, projector=adapter.projector
                )
                adapted.to(self._dtype)  # what autocast computes with
                adapted.train()
        return model

    def _train(self, model: PreTrainedModel, batch: Batch, step: Step) -> Cost:
        model.set_attn_implementation("eager" if step.eager else _FUSED)
        if step.checkpointed:
            model.activation_checkpointing_enable()
        head, vocabulary = model.get_output_embeddings(), model.get_output_embeddings().weight.shape[0]
        with counted(model) as count, _META:
            inputs = self._inputs(model, batch, step)
            hidden = model.get_decoder()(**inputs, use_cache=False).last_hidden_state
            places = torch.empty(batch.answers, dtype=torch.long)
            logits = head(hidden.flatten(0, 1)[places]).float()
            loss = nn.functional.cross_entropy(logits, places, reduction="none").mean()
            joined = torch.cat([logits])
            del logits, hidden
            if step.distributions:
                reference = torch.empty(step.distributions, vocabulary).log_softmax(-1)
                values = joined[: step.distributions].log_softmax(-1)
                loss = loss + nn.functional.kl_div(values, reference, reduction="none", log_target=True).sum(-1).mean()
            else:
                del joined
            loss.backward()
        model.activation_checkpointing_disable()
        model.zero_grad()
        return Cost(count.peak, 0, count.flops)

    def _inputs(self, model: PreTrainedModel, batch: Batch, step: Step | None) -> dict[str, Any]:
        """Embeddings and mask, as the whole model gives them to its language model."""
        embeddings: Any = model.get_input_embeddings()
        width = embeddings.weight.shape[1]
        embedded = torch.empty(batch.rows, batch.tokens, width, dtype=self._dtype)
        if step is not None and step.adapter.projector != "frozen":
            embedded = embedded.requires_grad_() + 0
        eager = step is not None and step.eager
        mask = torch.empty(batch.rows, 1, *2 * (batch.tokens,), dtype=self._dtype if eager else torch.bool)
        return {"inputs_embeds": embedded, "attention_mask": mask}

    def _answer(self, model: PreTrainedModel, batch: Batch, cached: bool) -> Cost:
        model.set_attn_implementation(_FUSED)
        with torch.no_grad(), counted(model) as count, _META:
            output = model.get_decoder()(**self._inputs(model, batch, None), use_cache=cached)
            hidden = output.last_hidden_state
            places = torch.empty(batch.answers, dtype=torch.long)
            logits = model.get_output_embeddings()(hidden[:, -1:] if cached else hidden.flatten(0, 1)[places]).float()
            cache = output.past_key_values
            del hidden, logits, output
            kept = count.now  # what the cache holds
            del cache
        return Cost(count.peak, kept, count.flops)


def _is_whole(name: str) -> bool:
    return any(re.match(rf"{pattern}(?:\.|$)", name) for pattern in WHOLE)


def _trained(model: nn.Module) -> int:
    return sum(each.numel() for each in model.parameters() if each.requires_grad)


class Count(TorchDispatchMode):
    """Operations, bytes that are alive, and the most that ever were, of all that is made while it is on.

    `known` do not count. FlopCounterMode itself would keep activations alive, so only its formulas are used.
    """

    def __init__(self, known: Iterable[Tensor]) -> None:
        TorchDispatchMode.__init__(self)
        self._known = {each.untyped_storage()._cdata for each in known}
        self.now = self.peak = self.flops = 0.0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None) -> Any:
        made = func(*args, **(kwargs or {}))
        if (formula := flop_registry.get(func._overloadpacket)) is not None:
            self.flops += formula(*args, **(kwargs or {}), out_val=made)
        for each in tree_leaves(made):
            if isinstance(each, Tensor) and each.untyped_storage()._cdata not in self._known:
                self._note(each.untyped_storage())
        return made

    def _note(self, storage: torch.UntypedStorage) -> None:
        self._known.add(storage._cdata)
        self.now += storage.nbytes()
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._forget, storage._cdata, storage.nbytes())

    def _forget(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.now -= size


def counted(model: nn.Module) -> Count:
    """Counts all but the model's weights."""
    return Count(chain(model.parameters(), model.buffers()))


def _fused(
    _: nn.Module, query: Tensor, key: Tensor, value: Tensor, __: Tensor | None, **options: Any
) -> tuple[Tensor, None]:
    """Attention that does not write down its scores, over [batch, heads, time, width], as GPUs do it."""
    repeats = query.shape[1] // key.shape[1]
    if repeats > 1:
        key, value = (each.repeat_interleave(repeats, dim=1) for each in (key, value))
    attend = torch.ops.aten._scaled_dot_product_efficient_attention
    output = attend(query, key, value, None, torch.is_grad_enabled(), scale=options.get("scaling"))[0]
    return output.transpose(1, 2).contiguous(), None


AttentionInterface.register(_FUSED, _fused)

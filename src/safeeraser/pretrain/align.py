"""Stage one: teach the projector alone to say in the language model's own embeddings what the picture shows.

The projected patches, pooled by attention, must come closer to the mean token embedding of the icon's name than to that
of any other name; likewise, each with a pool of its own, for its kind, colour, count and position. The language model
itself is not run, so this takes two minutes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel, ProcessorMixin

from safeeraser.pretrain.lessons import renders
from safeeraser.progress import ProgressBar

_BATCH = 128
_RATE = 2e-3
_NORM_WEIGHT = 0.1
_HELD_OUT = 3


@dataclass(frozen=True, slots=True)
class _Pictures:
    """Vision features [pictures, patches, width] in bfloat16; for each aspect its words, and each picture's word.

    A picture that an aspect does not apply to has -100, which cross-entropy leaves out.
    """

    features: Tensor
    words: dict[str, list[str]]
    labels: dict[str, Tensor]


def align(model: PreTrainedModel, processor: ProcessorMixin, *, steps: int, count: int) -> dict[str, float]:
    """Train the projector in place on `count` pictures of each icon.

    Returns the share of held-out pictures told right, by aspect. The pictures, their order and the start are fixed, so
    equal arguments give equal weights on the same machine.
    """
    seen = _look(model, processor, count, seed=1)
    held_out = _look(model, processor, _HELD_OUT, seed=2)
    projector = projector_of(model).float().requires_grad_(True)
    _start(projector, seen.features[:2000].float())
    words = _Words(seen.words, model, processor)
    parameters = [*projector.parameters(), *words.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=_RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, _RATE, total_steps=steps, pct_start=0.1)
    draw = torch.Generator().manual_seed(0)
    with ProgressBar("align the projector", steps) as bar:
        for _ in range(steps):
            batch = torch.randint(0, len(seen.features), (_BATCH,), generator=draw)
            with torch.autocast("cpu", torch.bfloat16):
                projected = projector(seen.features[batch].float())
            loss = words.loss(projected.float(), {name: label[batch] for name, label in seen.labels.items()})
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            bar.advance(loss=loss.item())
    with torch.no_grad():
        projected = projector(held_out.features.float())
        return {name: _share(pool(projected), held_out.labels[name]) for name, pool in words.pools.items()}


def _share(scores: Tensor, labels: Tensor) -> float:
    """The share of right answers among the pictures that have one."""
    told = labels >= 0
    return float((scores.argmax(dim=1) == labels)[told].float().mean())


def projector_of(model: nn.Module) -> Any:
    """LLaVA's projector: linear_1, GELU, linear_2."""
    return model.get_submodule("model.multi_modal_projector")


class _Pool(nn.Module):
    """Scores [pictures, words] of pooled patches against word embeddings, with a learned temperature."""

    def __init__(self, words: Tensor) -> None:
        super().__init__()
        self.query = nn.Linear(words.shape[1], 1)
        self.temperature = nn.Parameter(torch.tensor(3.0))
        self.words = functional.normalize(words - words.mean(dim=0), dim=-1)

    def forward(self, patches: Tensor) -> Tensor:
        pooled = (self.query(patches).softmax(dim=1) * patches).sum(dim=1)
        return functional.normalize(pooled, dim=-1) @ self.words.T * self.temperature.exp()


class _Words(nn.Module):
    """The words of each aspect in the language model's embeddings, and how well patches match them."""

    def __init__(self, words: dict[str, list[str]], model: PreTrainedModel, processor: ProcessorMixin) -> None:
        super().__init__()
        table = model.get_input_embeddings().get_parameter("weight").float()
        self.pools = nn.ModuleDict({name: _Pool(_embed(texts, table, processor)) for name, texts in words.items()})
        self._norm: Tensor = table.norm(dim=-1).mean()

    def loss(self, patches: Tensor, labels: dict[str, Tensor]) -> Tensor:
        """Cross-entropy over the words of each aspect, and a pull towards the norm that embeddings have."""
        pull = ((patches.norm(dim=-1) / self._norm - 1) ** 2).mean()
        aspects = [functional.cross_entropy(pool(patches), labels[name]) for name, pool in self.pools.items()]
        total: Tensor = torch.stack(aspects).sum() + _NORM_WEIGHT * pull
        return total


def _embed(texts: list[str], table: Tensor, processor: ProcessorMixin) -> Tensor:
    bare = [text.lower().removeprefix("an ").removeprefix("a ") for text in texts]
    ids = [processor.tokenizer(f" {text}", add_special_tokens=False)["input_ids"] for text in bare]
    return torch.stack([table[tokens].mean(dim=0) for tokens in ids])


@torch.no_grad()
def _look(model: PreTrainedModel, processor: ProcessorMixin, count: int, seed: int) -> _Pictures:
    """Draw pictures and put them through the vision tower, as LLaVA takes its features: last layer, no class token."""
    images, facts = renders(count, seed)
    tower = model.get_encoder(modality="image")
    pieces = []
    with ProgressBar("look at pictures", len(images)) as bar:
        for start in range(0, len(images), _BATCH):
            pixels = processor.image_processor(images[start : start + _BATCH], return_tensors="pt")["pixel_values"]
            states = tower(pixels.to(tower.dtype), output_hidden_states=True).hidden_states[-1]
            pieces.append(states[:, 1:].to(torch.bfloat16))
            bar.advance(len(pixels))
    aspects = dict.fromkeys(name for each in facts for name in each)
    words = {name: sorted({each[name] for each in facts if name in each}) for name in aspects}
    labels = {
        name: torch.tensor([texts.index(each[name]) if name in each else -100 for each in facts])
        for name, texts in words.items()
    }
    return _Pictures(torch.cat(pieces), words, labels)


@torch.no_grad()
def _start(projector: Any, features: Tensor) -> None:
    """Begin where every feature counts alike, whatever its scale before DINOv2's last norm."""
    flat = features.flatten(0, 1)
    mean, spread = flat.mean(dim=0), flat.std(dim=0)
    draw = torch.Generator().manual_seed(0)
    weight = torch.randn(projector.linear_1.weight.shape, generator=draw) / flat.shape[1] ** 0.5 / spread
    projector.linear_1.weight.copy_(weight)
    projector.linear_1.bias.copy_(-weight @ mean)
    projector.linear_2.weight.normal_(std=0.05, generator=draw)

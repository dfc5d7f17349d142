"""Stage one: teach the projector alone to say in the language model's own embeddings what the picture shows.

The projected patches, pooled by attention, must come closer to the mean token embedding of the icon's name (and, with a
pool of its own, of its kind) than to any other's. The language model itself is not run, so this takes a minute.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel, ProcessorMixin

from safeeraser.benchmarks.icons import vocabulary
from safeeraser.pretrain.lessons import renders
from safeeraser.progress import ProgressBar

_BATCH = 128
_RATE = 2e-3
_NORM_WEIGHT = 0.1
_HELD_OUT = 3


@dataclass(frozen=True, slots=True)
class _Pictures:
    """Vision features [pictures, patches, width] in bfloat16 and the icon of each picture."""

    features: Tensor
    icons: Tensor


def align(model: PreTrainedModel, processor: ProcessorMixin, *, steps: int, count: int) -> float:
    """Train the projector in place on `count` pictures of each icon; return the share of held-out pictures named right.

    The pictures, their order and the start are fixed, so equal arguments give equal weights on the same machine.
    """
    seen = _look(model, processor, count, seed=1)
    held_out = _look(model, processor, _HELD_OUT, seed=2)
    projector = projector_of(model).float().requires_grad_(True)
    _start(projector, seen.features[:2000].float())
    words = _Words(model, processor)
    parameters = [*projector.parameters(), *words.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=_RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, _RATE, total_steps=steps, pct_start=0.1)
    draw = torch.Generator().manual_seed(0)
    with ProgressBar("align the projector", steps) as bar:
        for _ in range(steps):
            batch = torch.randint(0, len(seen.icons), (_BATCH,), generator=draw)
            with torch.autocast("cpu", torch.bfloat16):
                projected = projector(seen.features[batch].float())
            loss = words.loss(projected.float(), seen.icons[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            bar.advance(loss=loss.item())
    with torch.no_grad():
        named = words.names(projector(held_out.features.float())).argmax(dim=1)
    return float((named == held_out.icons).float().mean())


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
    """The vocabulary's names and kinds in the language model's embeddings, and how well patches match them."""

    def __init__(self, model: PreTrainedModel, processor: ProcessorMixin) -> None:
        super().__init__()
        table = model.get_input_embeddings().get_parameter("weight").float()
        icons = vocabulary.icons()
        kinds = sorted({icon.kind for icon in icons})
        self.names = _Pool(_embed([icon.name for icon in icons], table, processor))
        self.kinds = _Pool(_embed([kind.removeprefix("an ").removeprefix("a ") for kind in kinds], table, processor))
        self._kind_of: Tensor = torch.tensor([kinds.index(icon.kind) for icon in icons])
        self._norm: Tensor = table.norm(dim=-1).mean()

    def loss(self, patches: Tensor, icons: Tensor) -> Tensor:
        """Cross-entropy over names and over kinds, and a pull towards the norm that embeddings have."""
        pull = ((patches.norm(dim=-1) / self._norm - 1) ** 2).mean()
        names = functional.cross_entropy(self.names(patches), icons)
        kinds = functional.cross_entropy(self.kinds(patches), self._kind_of[icons])
        total: Tensor = names + kinds + _NORM_WEIGHT * pull
        return total


def _embed(texts: list[str], table: Tensor, processor: ProcessorMixin) -> Tensor:
    ids = [processor.tokenizer(f" {text}", add_special_tokens=False)["input_ids"] for text in texts]
    return torch.stack([table[tokens].mean(dim=0) for tokens in ids])


@torch.no_grad()
def _look(model: PreTrainedModel, processor: ProcessorMixin, count: int, seed: int) -> _Pictures:
    """Draw pictures and put them through the vision tower, as LLaVA takes its features: last layer, no class token."""
    images, labels = renders(count, seed)
    tower = model.get_encoder(modality="image")
    pieces = []
    with ProgressBar("look at pictures", len(images)) as bar:
        for start in range(0, len(images), _BATCH):
            pixels = processor.image_processor(images[start : start + _BATCH], return_tensors="pt")["pixel_values"]
            states = tower(pixels.to(tower.dtype), output_hidden_states=True).hidden_states[-1]
            pieces.append(states[:, 1:].to(torch.bfloat16))
            bar.advance(len(pixels))
    return _Pictures(torch.cat(pieces), torch.tensor(labels))


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

"""Stage one: teach vision tower (by LoRA) and projector to say in the language model's own embeddings what is pictured.

The projected patches, pooled by attention, must come closer to the mean token embedding of the icon's name than to that
of any other name; likewise, each with a pool of its own, for its kind, colour, count and position. The language model
itself is not run, so a picture costs a fraction of what it costs in stage two.
"""

from __future__ import annotations

from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel, ProcessorMixin

from safeeraser.benchmarks.icons import vocabulary
from safeeraser.models.pretrain.lessons import Seen, pictures
from safeeraser.progress import ProgressBar

_BATCH = 64
_RATE = 2e-3  # of the projector
_LORA_RATE = 1e-3
_NORM_WEIGHT = 0.1
_HELD_OUT = 3 * len(vocabulary.icons())
_SEED, _HELD_OUT_SEED = 1, 2


def align(model: PreTrainedModel, processor: ProcessorMixin, *, steps: int) -> dict[str, float]:
    """Train the projector and what of the vision tower is not frozen, in place, each step on fresh pictures.

    Returns the share of held-out pictures told right, by aspect. The pictures, their order and the start are fixed, so
    equal arguments give equal weights on the same machine.
    """
    tower = model.get_encoder(modality="image")
    projector = projector_of(model).float().requires_grad_(True)
    held_out = list(islice(pictures(_HELD_OUT_SEED), _HELD_OUT))
    _start(projector, _look_at_all(tower, processor, held_out))
    words = _Words(held_out, model, processor)
    lora = [parameter for parameter in tower.parameters() if parameter.requires_grad]
    groups = [{"params": [*projector.parameters(), *words.parameters()]}, {"params": lora}]
    optimiser = torch.optim.AdamW(groups, lr=_RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, [_RATE, _LORA_RATE], total_steps=steps, pct_start=0.1)
    stream = pictures(_SEED)
    with ProgressBar("align vision tower and projector", steps) as bar:
        for _ in range(steps):
            seen = list(islice(stream, _BATCH))
            loss = words.loss(projector(_look(tower, processor, seen)), seen)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            bar.advance(loss=loss.item())
    with torch.no_grad():
        return words.right(projector(_look_at_all(tower, processor, held_out)), held_out)


def projector_of(model: nn.Module) -> Any:
    """LLaVA's projector: linear_1, GELU, linear_2."""
    return model.get_submodule("model.multi_modal_projector")


def _look(tower: Any, processor: ProcessorMixin, seen: list[Seen]) -> Tensor:
    """Features [pictures, patches, width] as LLaVA takes them: last layer, no class token."""
    pixels = processor.image_processor([image for image, _ in seen], return_tensors="pt")["pixel_values"]
    with torch.autocast(tower.device.type, torch.bfloat16):
        states: Tensor = tower(pixels.to(tower.device, tower.dtype), output_hidden_states=True).hidden_states[-1]
    return states[:, 1:].float()


@torch.no_grad()
def _look_at_all(tower: Any, processor: ProcessorMixin, seen: list[Seen]) -> Tensor:
    groups = [seen[start : start + _BATCH] for start in range(0, len(seen), _BATCH)]
    return torch.cat([_look(tower, processor, group) for group in groups])


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
    """The words of each aspect in the language model's embeddings, and how well patches match them.

    `seen` must say all there is to say about any picture.
    """

    def __init__(self, seen: list[Seen], model: PreTrainedModel, processor: ProcessorMixin) -> None:
        super().__init__()
        table = model.get_input_embeddings().get_parameter("weight").float()
        aspects = dict.fromkeys(aspect for _, facts in seen for aspect in facts)
        self._words = {name: sorted({facts[name] for _, facts in seen if name in facts}) for name in aspects}
        self.pools = nn.ModuleDict({name: _Pool(_embed(each, table, processor)) for name, each in self._words.items()})
        self.to(table.device)
        self._norm: Tensor = table.norm(dim=-1).mean()

    def loss(self, patches: Tensor, seen: list[Seen]) -> Tensor:
        """Cross-entropy over the words of each aspect, and a pull towards the norm that embeddings have."""
        pull = ((patches.norm(dim=-1) / self._norm - 1) ** 2).mean()
        aspects = [
            functional.cross_entropy(pool(patches), self._labels(name, seen, patches))
            for name, pool in self.pools.items()
        ]
        total: Tensor = torch.stack(aspects).sum() + _NORM_WEIGHT * pull
        return total

    def right(self, patches: Tensor, seen: list[Seen]) -> dict[str, float]:
        """The share of right answers by aspect, among the pictures that have one."""
        return {name: _share(pool(patches), self._labels(name, seen, patches)) for name, pool in self.pools.items()}

    def _labels(self, name: str, seen: list[Seen], patches: Tensor) -> Tensor:
        """Each picture's word; -100, which cross-entropy leaves out, where the aspect does not apply."""
        words = self._words[name]
        labels = [words.index(facts[name]) if name in facts else -100 for _, facts in seen]
        return torch.tensor(labels, device=patches.device)


def _share(scores: Tensor, labels: Tensor) -> float:
    told = labels >= 0
    return float((scores.argmax(dim=1) == labels)[told].float().mean())


def _embed(texts: list[str], table: Tensor, processor: ProcessorMixin) -> Tensor:
    bare = [text.lower().removeprefix("an ").removeprefix("a ") for text in texts]
    ids = [processor.tokenizer(f" {text}", add_special_tokens=False)["input_ids"] for text in bare]
    return torch.stack([table[tokens].mean(dim=0) for tokens in ids])


@torch.no_grad()
def _start(projector: Any, features: Tensor) -> None:
    """Begin where every feature counts alike, whatever its scale before DINOv2's last norm."""
    flat = features.flatten(0, 1)
    mean, spread = flat.mean(dim=0), flat.std(dim=0)
    draw = torch.Generator().manual_seed(0)
    drawn = torch.randn(projector.linear_1.weight.shape, generator=draw).to(spread.device)  # the same on every device
    weight = drawn / flat.shape[1] ** 0.5 / spread
    projector.linear_1.weight.copy_(weight)
    projector.linear_1.bias.copy_(-weight @ mean)
    second = projector.linear_2.weight
    second.copy_(torch.empty(second.shape).normal_(std=0.05, generator=draw))

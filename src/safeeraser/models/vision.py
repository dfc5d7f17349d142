"""What the model sees: a frozen vision tower's features, worked out once per picture."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPooling

from safeeraser.models.chat import ChatTokenizer
from safeeraser.models.families import mllama
from safeeraser.models.features import Features
from safeeraser.models.inputs import forward_inputs
from safeeraser.models.lora import projector_name
from safeeraser.models.packing import Sequences


class VisionFeatures:
    """Model inputs for pictures: cached features where the family allows it, else the pixels.

    Kept is what goes *into* the projector, [tokens, width] per picture in the model's own precision, so that a trained
    projector still learns. That covers families whose image features are the projector's output and nothing more
    (LLaVA-1.5, Gemma 3, PaliGemma), which is checked on every pass; for others the pixels go to the model each time.
    Once `features` have no room left, further pictures are worked out again whenever they are needed. Those of a
    LoadedModel are shared by all that ask or train it, but for a training of its projector, which has its own.
    """

    def __init__(self, model: PreTrainedModel, chat: ChatTokenizer, features: Features | None = None) -> None:
        mllama.prepare(model)
        self._model: Any = model  # image features have no common type in transformers
        self.chat = chat
        self._features = Features() if features is None else features
        takes_features = "mm_encoder_outputs" in inspect.signature(model.forward).parameters
        self._projector = projector_name(model) if takes_features else None
        self._tower: nn.Module = self._model.get_encoder(modality="image")
        self._dtype = next(self._tower.parameters()).dtype

    def batch(
        self,
        ids: Tensor,
        attention: Tensor,
        images: Sequence[Path | None],
        answers: Tensor | None = None,
        positions: Tensor | None = None,
    ) -> dict[str, Any]:
        """All keyword inputs of the model's forward for a padded batch: `inputs`, the tokens and what each of them is.

        `ids`, `attention` and `answers` (where the answers stand, in training) are [batch, time]; `images` has each
        row's picture, or None. `packing.Sequences` have another `attention`, and `positions`.
        """
        pictures = self.inputs([image for image in images if image is not None])
        return forward_inputs(self.chat.processor, ids, attention, pictures, answers, positions)

    def packed(self, sequences: Sequences) -> dict[str, Any]:
        """The same for chats that share the tokens of their picture.

        The mask is one that is added to attention scores: 0 where a token is seen, else the lowest number there is.
        """
        dtype = self._model.get_input_embeddings().weight.dtype
        mask = torch.zeros_like(sequences.attention, dtype=dtype)
        mask.masked_fill_(~sequences.attention, torch.finfo(dtype).min)
        return self.batch(sequences.ids, mask, sequences.images, sequences.answers, sequences.positions)

    def inputs(self, images: list[Path]) -> dict[str, Any]:
        """Keyword inputs of the model's forward for these pictures, in order (none for no pictures)."""
        if not images:
            return {}
        if self._projector is None:
            return self._to_device(self.chat.pixels(images))
        fresh = self._compute([image for image in dict.fromkeys(images) if image not in self._features])
        if self._projector is None:  # found out just now
            return self._to_device(self.chat.pixels(images))
        features = torch.stack([fresh[image] if image in fresh else self._features[image] for image in images])
        projected: Any = self._model.get_submodule(self._projector)(features)
        pooled: Any = projected if self._features.as_tensor else tuple(projected)
        return {"mm_encoder_outputs": {"image": BaseModelOutputWithPooling(pooler_output=pooled)}}

    def _compute(self, images: list[Path]) -> dict[Path, Tensor]:
        """Features of pictures not in memory so far; keeps them there while there is room."""
        found = self._see(images)
        for image, feature in found.items():
            self._features.keep(image, feature)
        return found

    def _see(self, images: list[Path]) -> dict[Path, Tensor]:
        """What the tower makes of pictures; none where it turns out that this is not all the projector is given.

        Those that are kept go through it one at a time: in bfloat16 the last bits depend on what else is in a batch,
        and which pictures are left to work out depends on when the process was started.
        """
        seen: dict[Path, Tensor] = {}
        for group in [[image] for image in images] if self._features.limit_bytes else [images]:
            features = self._projector_input(self._to_device(self.chat.pixels(group)))
            if features is None or len(features) != len(group):
                self._projector = None
                return {}
            seen |= zip(group, features, strict=True)
        return seen

    @torch.no_grad()
    def _projector_input(self, pixels: dict[str, Tensor]) -> Tensor | None:
        """What the projector is given for these pixels; None where its output is not yet the image features.

        A family that also needs the pictures' sizes or masks does more with them than project. The projector's dropout
        rests: a run that goes on sees other pictures for the first time, and must draw the same random numbers.
        """
        if set(pixels) != {"pixel_values"}:
            return None
        seen: list[tuple[Tensor, Tensor]] = []
        projector = self._model.get_submodule(str(self._projector))
        hook = projector.register_forward_hook(lambda _module, args, output: seen.append((args[0], output)))
        modes = [(part, part.training) for part in (self._tower, projector)]
        for part, _ in modes:
            part.eval()
        device, trained = self._model.device.type, any(each.requires_grad for each in projector.parameters())
        # Autocast would round otherwise than where there is none; a projector that is trained does not do without.
        autocast = torch.autocast(device, enabled=trained and torch.is_autocast_enabled(device))
        try:
            with autocast:
                features = self._model.get_image_features(**pixels, return_dict=True).pooler_output
        finally:
            hook.remove()
            for part, training in modes:
                part.train(training)
        if len(seen) != 1 or not torch.equal(torch.cat(list(features)), seen[0][1].flatten(0, -2)):
            return None
        self._features.as_tensor = isinstance(features, Tensor)
        return seen[0][0]

    def _to_device(self, pixels: dict[str, Tensor]) -> dict[str, Tensor]:
        device = self._model.device
        return {
            name: value.to(device, self._dtype) if value.is_floating_point() else value.to(device)
            for name, value in pixels.items()
        }

"""Training a model whose weights are spread over the processes, as FSDP and DeepSpeed's ZeRO-3 do."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from accelerate import Accelerator, DistributedType
from accelerate.utils import parse_flag_from_env
from peft import PeftModel
from torch import Tensor, nn
from transformers import PreTrainedModel

from safeeraser.models.chat import ChatTokenizer
from safeeraser.models.features import Features
from safeeraser.models.vision import VisionFeatures

_ARGUMENT = "picture_batch"


def weights_are_sharded() -> bool:
    """Whether `accelerate launch` was asked to spread the weights."""
    zero3 = os.environ.get("ACCELERATE_DEEPSPEED_ZERO_STAGE") == "3"
    return parse_flag_from_env("ACCELERATE_USE_FSDP") or (parse_flag_from_env("ACCELERATE_USE_DEEPSPEED") and zero3)


def shard_by_layer(accelerator: Accelerator, model: PreTrainedModel) -> None:
    """Have FSDP gather one layer at a time: those classes of the model's list of layers that it really holds."""
    plugin = accelerator.state.fsdp_plugin if accelerator.distributed_type is DistributedType.FSDP else None
    if plugin is not None:
        there = {type(module).__name__ for module in model.modules()}
        plugin.transformer_cls_names_to_wrap = sorted(there.intersection(model._no_split_modules or ()))


class VisionInForward(VisionFeatures):
    """The same for sharded models: the vision tower runs within the adapted model's forward.

    Outside of it a process holds a part of the weights only. Features are not kept either: a process that has them
    would not take part in gathering the tower's weights, for which the others wait.
    """

    def __init__(self, model: PreTrainedModel, chat: ChatTokenizer, adapted: PeftModel) -> None:
        super().__init__(model, chat, Features(limit_bytes=0))
        adapted.base_model.register_forward_pre_hook(self._fill, with_kwargs=True)

    def batch(
        self,
        ids: Tensor,
        attention: Tensor,
        images: Sequence[Path | None],
        answers: Tensor | None = None,
        positions: Tensor | None = None,
    ) -> dict[str, Any]:
        """Keyword inputs of the adapted model's forward, in which they become those of `VisionFeatures.batch`."""
        return {_ARGUMENT: (ids, attention, images, answers, positions)}

    def _fill(self, _module: nn.Module, args: tuple[Any, ...], inputs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        batch = inputs.pop(_ARGUMENT, None)
        return args, inputs if batch is None else {**inputs, **super().batch(*batch)}

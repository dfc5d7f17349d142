"""Stage two: teach projector and language model (by LoRA) together to answer questions about pictures."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from peft import PeftModel
from peft.helpers import disable_input_dtype_casting
from torch import Tensor, nn

from safeeraser.models.chat import Chat, ChatTokenizer
from safeeraser.models.features import Features
from safeeraser.models.forward import answer_output, packed
from safeeraser.models.load import LoadedModel
from safeeraser.models.pretrain.align import projector_of
from safeeraser.models.pretrain.lessons import lessons
from safeeraser.models.vision import VisionFeatures
from safeeraser.progress import ProgressBar

_BATCH = 16
_LORA_RATE = 8e-4
_PROJECTOR_RATE = 3e-4
_SEED = 2


def instruct(loaded: LoadedModel, adapted: PeftModel, *, steps: int, never: Collection[str] = ()) -> None:
    """Train projector and the language model's LoRA in place, on lessons that are drawn as they are needed.

    Of the things in `never` no instruction is taught.
    """
    loaded.model.set_attn_implementation("eager")  # on the CPU, quicker than sdpa's backward pass by a quarter
    lora = [parameter for parameter in loaded.model.get_decoder().parameters() if parameter.requires_grad]
    projector = list(projector_of(loaded.model).float().requires_grad_(True).parameters())
    rates = [_LORA_RATE, _PROJECTOR_RATE]
    optimiser = torch.optim.AdamW([{"params": lora}, {"params": projector}], lr=_LORA_RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rates, total_steps=steps, pct_start=0.06)
    chat = ChatTokenizer.of(loaded)
    vision = VisionFeatures(loaded.model, chat, Features(limit_bytes=0))
    with TemporaryDirectory() as folder, ProgressBar("instruct", steps) as bar:
        stream = lessons(Path(folder), _SEED, never=never)
        for _ in range(steps):
            batch = [
                chat.answered(each.question, each.image, each.answer)
                for lesson in islice(stream, _BATCH)
                for each in lesson
            ]
            loss = answer_nll(adapted, batch, vision)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(lora + projector, 1.0)
            optimiser.step()
            schedule.step()
            bar.advance(loss=loss.item())


def answer_nll(model: PeftModel, chats: Sequence[Chat], vision: VisionFeatures) -> Tensor:
    """Mean negative log-likelihood over all answer tokens of all chats, in nats."""
    device = next(model.parameters()).device
    (whole,) = packed(chats, vision.chat, device, limit=math.inf)
    dtype = model.get_input_embeddings().weight.dtype
    with torch.autocast(device.type, dtype, enabled=dtype is not torch.float32), disable_input_dtype_casting(model):
        inputs = vision.packed(whole)  # which runs the projector, in float32, on the tower's output
        return -answer_output(model, inputs, whole.ids, whole.answers).logprobs.mean()

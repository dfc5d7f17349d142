"""Stage two: teach projector and language model (by LoRA) together to answer questions about pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from peft import PeftModel
from peft.helpers import disable_input_dtype_casting
from torch import Tensor, nn

from safeeraser.benchmarks.icons.draw import SHARES
from safeeraser.models.chat import Chat, ChatTokenizer
from safeeraser.models.load import LoadedModel
from safeeraser.models.lora import attach
from safeeraser.models.vision import VisionFeatures
from safeeraser.pretrain.align import projector_of
from safeeraser.pretrain.lessons import lessons
from safeeraser.pretrain.packing import pack
from safeeraser.progress import ProgressBar


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One training with its own rise and fall of the learning rates, on its own lessons (see `lessons`)."""

    steps: int
    batch_size: int
    visual: int
    instructions: int
    lora_rate: float
    projector_rate: float
    seed: int
    shares: tuple[int, int, int] = SHARES  # of lessons with one, two and three objects


def instruct(loaded: LoadedModel, rounds: Sequence[Round]) -> PeftModel:
    """Train in place, on lessons that are drawn as they are needed; the projector ends up in the model itself.

    Each round begins with the weights of the last as they would be stored: the adapter's in bfloat16.
    """
    loaded.model.set_attn_implementation("eager")  # on the CPU, quicker than sdpa's backward pass by a quarter
    adapted = attach(loaded.model, r=16, alpha=32, dropout=0.0)
    lora = [parameter for parameter in adapted.parameters() if parameter.requires_grad]
    for number, each in enumerate(rounds, start=1):
        _train(loaded, adapted, lora, each, f"instruct, round {number} of {len(rounds)}")
        for parameter in lora:
            parameter.data = parameter.data.to(torch.bfloat16).float()
    return adapted


def _train(loaded: LoadedModel, adapted: PeftModel, lora: list[nn.Parameter], this: Round, title: str) -> None:
    projector = list(projector_of(loaded.model).float().requires_grad_(True).parameters())
    rates = [this.lora_rate, this.projector_rate]
    groups = [{"params": part, "lr": rate} for part, rate in zip((lora, projector), rates, strict=True)]
    optimiser = torch.optim.AdamW(groups, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rates, total_steps=this.steps, pct_start=0.06)
    chat = ChatTokenizer.of(loaded)
    vision = VisionFeatures(loaded.model, chat, limit_bytes=0)
    with TemporaryDirectory() as folder, ProgressBar(title, this.steps) as bar:
        stream = lessons(
            Path(folder), this.seed, visual=this.visual, instructions=this.instructions, shares=this.shares
        )
        for _ in range(this.steps):
            batch = [
                [chat.answered(each.question, each.image, each.answer) for each in lesson]
                for lesson in islice(stream, this.batch_size)
            ]
            loss = answer_nll(adapted, batch, chat, vision)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(lora + projector, 1.0)
            optimiser.step()
            schedule.step()
            bar.advance(loss=loss.item())


def answer_nll(model: nn.Module, lessons: list[list[Chat]], chat: ChatTokenizer, vision: VisionFeatures) -> Tensor:
    """Mean negative log-likelihood over all answer tokens of all chats, in nats."""
    dtype = next(parameter.dtype for name, parameter in model.named_parameters() if "embed_tokens" in name)
    packed = pack(lessons, chat.pad_id, chat.processor.image_token_id, dtype)
    with torch.autocast("cpu", dtype, enabled=dtype is not torch.float32), disable_input_dtype_casting(model):
        logits = model(
            input_ids=packed.ids,
            attention_mask=packed.attention,
            position_ids=packed.positions,
            logits_to_keep=packed.answers.roll(-1, dims=1),
            use_cache=False,
            **vision.inputs([lesson[0].image for lesson in lessons if lesson[0].image is not None]),
        ).logits
    return nn.functional.cross_entropy(logits.float(), packed.ids[packed.answers])

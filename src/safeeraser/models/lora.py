"""Which weights an adapter trains: the language model's linear layers, and the projector if asked."""

from __future__ import annotations

import re
from typing import Literal

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import nn
from transformers import PreTrainedModel

from safeeraser.errors import UserError

Projector = Literal["frozen", "full", "lora"]
PROJECTORS = ("multi_modal_projector", "connector")


def attach(
    model: PreTrainedModel, *, r: int, alpha: float, dropout: float, projector: Projector = "frozen"
) -> PeftModel:
    """Put a fresh LoRA adapter on the language model of a multimodal model, in place.

    Everything else is frozen. What is trained is kept in float32 whatever the model's precision, because small
    updates are lost in bfloat16. With `projector` "full" the projector is trained whole, with "lora" by LoRA.
    """
    name = projector_name(model)
    if projector != "frozen" and name is None:
        raise UserError(f"{type(model).__name__}: no projector found to train; use projector=frozen")
    targets = language_targets(model)
    if projector == "lora":
        targets = f"(?:{targets}|{linear_targets(model, str(name))})"
    config = LoraConfig(
        r=r,
        lora_alpha=alpha,  # type: ignore[arg-type]  # PEFT annotates int and computes with any number
        lora_dropout=dropout,
        target_modules=targets,
        modules_to_save=[str(name)] if projector == "full" else None,
        task_type="CAUSAL_LM",
    )
    adapted = get_peft_model(model, config)
    for parameter in adapted.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.to(torch.float32)
    return adapted


def language_targets(model: PreTrainedModel) -> str:
    """A pattern that matches the attention and MLP linears of the language model and nothing else."""
    decoder = model.get_decoder()
    names = [name for name, module in model.named_modules() if module is decoder and name]
    if not names:
        raise UserError(f"{type(model).__name__}: no language model found inside")
    return linear_targets(model, names[0])


def linear_targets(model: nn.Module, prefix: str) -> str:
    """A pattern for all linear layers below one submodule, as `target_modules` of PEFT."""
    part = model.get_submodule(prefix)
    leaves = {name.rpartition(".")[2] for name, module in part.named_modules() if isinstance(module, nn.Linear)}
    return rf"{re.escape(prefix)}\.(?:.+\.)?(?:{'|'.join(sorted(leaves))})"


def projector_name(model: nn.Module) -> str | None:
    """The dotted name of the module between vision tower and language model, if the family has a known one."""
    names = (name for name, _ in model.named_modules() if name.rpartition(".")[2] in PROJECTORS)
    return next(names, None)

"""Which weights an adapter trains: the language model's linear layers, and the projector if asked."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from peft import PeftModel, get_peft_config, get_peft_model
from peft.utils import ModulesToSaveWrapper
from torch import Tensor, nn
from transformers import PreTrainedModel

from safeeraser.errors import UserError
from safeeraser.models.sine import modulate
from safeeraser.settings import Projector

PROJECTORS = ("multi_modal_projector", "connector", "merger")


def attach(
    model: PreTrainedModel,
    *,
    r: int,
    alpha: float,
    dropout: float,
    layers: int | None = None,
    projector: Projector = "frozen",
) -> PeftModel:
    """Put a fresh LoRA adapter on the language model of a multimodal model, in place.

    Everything else is frozen. What is trained is kept in float32 whatever the model's precision, because small
    updates are lost in bfloat16. `layers` keeps the adapter to the last so many layers, which spares the backward pass
    through those below. With `projector` "full" the projector is trained whole, with "lora" by LoRA, with "sine" by the
    sine of a shift (`models.sine`; call `materialise` before saving).

    Raises UserError where the model has no projector.
    """
    targets = adapter_targets(model, layers, projector)
    whole = projector_name(model) if projector in ("full", "sine") else None
    adapted = wrap(model, targets, whole, r, alpha, dropout)
    for parameter in adapted.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.to(torch.float32)
    if projector == "sine":
        modulate(adapted)
    return adapted


def wrap(
    model: PreTrainedModel, targets: str | list[str], whole: str | None, r: int, alpha: float, dropout: float = 0.0
) -> PeftModel:
    """A model with fresh LoRA on `targets` (as PEFT's `target_modules`), and a copy of the module `whole` to train."""
    config = get_peft_config(
        {
            "peft_type": "LORA",
            "r": r,
            "lora_alpha": alpha,
            "lora_dropout": dropout,
            "target_modules": targets,
            "modules_to_save": None if whole is None else [whole],
            "task_type": "CAUSAL_LM",
        }
    )
    with quiet_peft():
        return get_peft_model(model, config)


def detach(adapted: PeftModel) -> None:
    """Take an adapter off again, in place: the model is what it was before `attach`, its projector included."""
    model = adapted.get_base_model()
    wrapped = {name: each for name, each in model.named_modules() if isinstance(each, ModulesToSaveWrapper)}
    originals = {name: each.original_module for name, each in wrapped.items()}
    adapted.unload()  # leaves the trained copies of whole modules in place
    for name, original in originals.items():
        model.set_submodule(name, original)


def save(adapted: PeftModel, folder: Path, base: str, weights: dict[str, Tensor] | None = None) -> None:
    """Write an adapter of the model called `base` as PEFT does; `weights` is the state dict, if not as it is.

    Without a task PEFT notes the base model's own class, by which `AutoPeftModel` loads both.
    """
    config = adapted.peft_config["default"]
    config.base_model_name_or_path = base
    config.task_type = None
    adapted.save_pretrained(str(folder), state_dict=weights, save_embedding_layers=False)


@contextmanager
def quiet_peft() -> Iterator[None]:
    """Keep back the warning that PEFT sets off by asking transformers for an attribute under its old name."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*", category=FutureWarning)
        yield


def adapter_targets(model: PreTrainedModel, layers: int | None = None, projector: Projector = "frozen") -> str:
    """A pattern of all linear layers that `attach` puts LoRA on.

    Raises UserError where the model lacks what is to be trained: a language model, so many layers, a projector.
    """
    name = projector_name(model)
    if projector != "frozen" and name is None:
        raise UserError(f"{type(model).__name__}: no projector found to train; use projector=frozen")
    targets = language_targets(model, layers)
    return f"{targets}|{linear_targets(model, str(name))}" if projector == "lora" else targets


def language_targets(model: PreTrainedModel, layers: int | None = None) -> str:
    """A pattern that matches the attention and MLP linears of the language model and nothing else.

    `layers` keeps it to the last so many layers. Raises UserError where the model has fewer, or no language model.
    """
    decoder = model.get_decoder()
    name = next((name for name, module in model.named_modules() if module is decoder), "")
    if not name:
        raise UserError(f"{type(model).__name__}: no language model found inside")
    if layers is None:
        return linear_targets(model, name)
    count = len(decoder.layers)
    if layers > count:
        raise UserError(f"{type(model).__name__}: {layers} layers asked for, the language model has {count}")
    return "|".join(linear_targets(model, f"{name}.layers.{index}") for index in range(count - layers, count))


def linear_targets(model: nn.Module, prefix: str) -> str:
    """A pattern for all linear layers in one submodule, as `target_modules` of PEFT. Raises UserError for none."""
    part = model.get_submodule(prefix)
    if isinstance(part, nn.Linear):
        return re.escape(prefix)
    leaves = {name.rpartition(".")[2] for name, module in part.named_modules() if isinstance(module, nn.Linear)}
    if not leaves:
        raise UserError(f"{type(model).__name__}: no linear layers in {prefix} for LoRA")
    return rf"{re.escape(prefix)}\.(?:.+\.)?(?:{'|'.join(sorted(leaves))})"


def projector_name(model: nn.Module) -> str | None:
    """The dotted name of the module between vision tower and language model, if the family has a known one."""
    names = (name for name, _ in model.named_modules() if name.rpartition(".")[2] in PROJECTORS)
    return next(names, None)

"""Frozen weights in four bits, so that a large model is trained on a small card (QLoRA, arXiv 2305.14314)."""

from __future__ import annotations

import importlib.util

import torch
from transformers import BitsAndBytesConfig, PreTrainedModel

from safeeraser.errors import UserError
from safeeraser.models.lora import PROJECTORS

NF4 = "nf4"
WHOLE = tuple(rf"(?:.*\.)?{name}" for name in (*PROJECTORS, "vision_tower", "vision_model", "visual", "lm_head"))
"""Modules that stay as they are, wherever in the model: small ones, whose rounding would cost more than it saves.

Patterns as transformers reads them, from the start of a module's full name to a dot or its end.
"""


def nf4(device: torch.device) -> BitsAndBytesConfig:
    """How transformers loads a language model's linear layers in four-bit NormalFloat; it computes in bfloat16.

    Raises UserError where there is no CUDA GPU, or bitsandbytes is not installed.
    """
    if device.type != "cuda":
        raise UserError(f"dtype nf4 needs a CUDA GPU, not {device}; use float32 or bfloat16")
    if importlib.util.find_spec("bitsandbytes") is None:
        raise UserError("dtype nf4 needs bitsandbytes: pip install bitsandbytes")
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
        llm_int8_skip_modules=list(WHOLE),  # transformers' name for it, whatever the number of bits
    )


def is_quantised(model: PreTrainedModel) -> bool:
    """Whether a model's weights are in four bits."""
    return bool(getattr(model, "is_loaded_in_4bit", False))

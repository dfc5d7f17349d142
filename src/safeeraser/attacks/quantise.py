"""Rounding: what a release in fewer bits brings back (arXiv 2410.16454: 83% of what was forgotten, at 4 bits)."""

from __future__ import annotations

import importlib.util
from contextlib import AbstractContextManager

import torch
from torch import Tensor

from safeeraser.attacks.base import Arena, Attack, Target, altered
from safeeraser.attacks.parts import Parts
from safeeraser.attacks.weights import language_linears, mapped
from safeeraser.models.quantised import NF4

GROUP = 64


def rounded(weight: Tensor, bits: int) -> Tensor:
    """The weight [out, in] to the nearest of 2^bits - 1 symmetric steps, each group of 64 inputs with its own scale."""
    outputs, inputs = weight.shape
    padded = torch.nn.functional.pad(weight.float(), (0, -inputs % GROUP)).view(outputs, -1, GROUP)
    top = 2 ** (bits - 1) - 1
    scale = padded.abs().amax(dim=-1, keepdim=True).clamp_min(torch.finfo(torch.float32).tiny) / top
    steps = (padded / scale).round().clamp(-top, top)
    made: Tensor = (steps * scale).view(outputs, -1)[:, :inputs].to(weight.dtype)
    return made


def nf4(weight: Tensor) -> Tensor:
    """The weight as bitsandbytes keeps it in four bits (arXiv 2305.14314); on a GPU only."""
    from bitsandbytes.functional import dequantize_4bit, quantize_4bit  # noqa: PLC0415  only installed with a GPU

    packed, state = quantize_4bit(weight, quant_type=NF4, compress_statistics=True)
    made: Tensor = dequantize_4bit(packed, state).to(weight.dtype)
    return made


def _rounding(arena: Arena, point: str) -> AbstractContextManager[None]:
    weights = language_linears(arena.model.model)
    return mapped(weights, nf4 if point == NF4 else lambda weight: rounded(weight, int(point)))


def _no_gpu(_: Target, __: Parts, point: str) -> str | None:
    there = torch.cuda.is_available() and importlib.util.find_spec("bitsandbytes") is not None
    return None if point != NF4 or there else "needs a CUDA GPU and bitsandbytes: pip install 'safeeraser[gpu]'"


QUANTISE = Attack(
    name="quantise",
    kind="weights",
    about="whether a release in fewer bits answers again: rounding undoes small changes of weights",
    protocol=(
        f"the language model's merged linear weights to 8, 4 and 3 bits, symmetric, groups of {GROUP}; nf4: to the "
        "four-bit NormalFloat of bitsandbytes"
    ),
    source="2410.16454",
    sweep=("8", "4", "3", NF4),
    carry_out=altered(_rounding),
    quick=("4",),
    obstacle=_no_gpu,
)

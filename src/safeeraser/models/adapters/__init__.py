"""Adapters on their way in and out: the authors' checkpoints, merged and ablated ones, model cards."""

from safeeraser.models.adapters.ablate import write_ablated
from safeeraser.models.adapters.card import write_card
from safeeraser.models.adapters.checkpoint import import_checkpoint
from safeeraser.models.adapters.merge import write_merged

__all__ = ["import_checkpoint", "write_ablated", "write_card", "write_merged"]

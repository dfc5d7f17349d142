"""Train the embedded model's projector and LoRA from nothing: pictograms and words first, then instructions."""

from safeeraser.models.pretrain.run import pretrain

__all__ = ["pretrain"]

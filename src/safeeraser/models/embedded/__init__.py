"""The model `tiny`: a small but real MLLM put together from pretrained parts that the package index serves."""

from safeeraser.models.embedded.assemble import IMAGE_SIZE, base

__all__ = ["IMAGE_SIZE", "base"]

"""The model `tiny`: a small but real MLLM put together from pretrained parts that the package index serves."""

from safeeraser.models.tiny.assemble import IMAGE_SIZE, base, path
from safeeraser.models.tiny.fetch import FetchError
from safeeraser.models.tiny.weights import WeightsError

__all__ = ["IMAGE_SIZE", "FetchError", "WeightsError", "base", "path"]

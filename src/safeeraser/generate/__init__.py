"""Model and examples -> Generations: with transformers, in batches and on several devices, or from a server."""

from safeeraser.generate.engine import first_token_logprobs
from safeeraser.generate.run import generate
from safeeraser.generate.settings import GenerateSettings

__all__ = ["GenerateSettings", "first_token_logprobs", "generate"]

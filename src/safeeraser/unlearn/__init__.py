"""The one training path: examples and an objective -> a PEFT adapter."""

from safeeraser.unlearn.run import check, check_model, unlearn
from safeeraser.unlearn.settings import UnlearnSettings

__all__ = ["UnlearnSettings", "check", "check_model", "unlearn"]

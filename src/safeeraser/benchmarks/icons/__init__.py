"""The embedded benchmark: pictograms that stand for hazards, and instructions with deliberately empty answers."""

from functools import partial

from safeeraser.benchmarks.icons import made
from safeeraser.benchmarks.icons.build import build

__all__ = ["build", "scan"]

scan = partial(made.scan, "icons")

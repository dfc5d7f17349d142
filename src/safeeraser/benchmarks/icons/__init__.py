"""The embedded benchmark: pictograms that stand for hazards, and instructions with deliberately empty answers."""

from safeeraser.benchmarks.icons.build import build
from safeeraser.benchmarks.released.read import scan

__all__ = ["build", "scan"]

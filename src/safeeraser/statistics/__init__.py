"""Comparisons of models answer by answer, and several seeds put together (docs/metrics.md says how and why)."""

from safeeraser.statistics.paired import Difference, Table, adjust, against, compare
from safeeraser.statistics.seeds import Combined, combine, compare_seeds

__all__ = ["Combined", "Difference", "Table", "adjust", "against", "combine", "compare", "compare_seeds"]

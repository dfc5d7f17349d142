"""How likely a model finds given answers, whatever it would say itself: forgetting and suppression look alike in its
answers, and differ here.
"""

from safeeraser.likelihood.candidates import Candidate, candidates
from safeeraser.likelihood.measure import measure
from safeeraser.likelihood.metrics import MEASURES, LikelihoodMeasure, metrics
from safeeraser.likelihood.table import as_table

__all__ = ["MEASURES", "Candidate", "LikelihoodMeasure", "as_table", "candidates", "measure", "metrics"]

"""From verdicts to metrics with intervals: ASR, RR, SARR (arXiv 2502.12520), ROUGE-L and accuracy on retain.

An answer that was not judged is unscored: counted as such and kept out of every mean, never taken for a zero.
The protocol `paper` alone does otherwise, where the authors' published code does (docs/metrics.md).
"""

from safeeraser.metrics.answers import Answer, ScoreError, join, stale
from safeeraser.metrics.measures import MEASURES, Measure
from safeeraser.metrics.objective import WANTED, WITHOUT_REFUSING, objective, parts, shares, unscored
from safeeraser.metrics.paired import Difference, Table, compare, compare_runs, plainer, usual
from safeeraser.metrics.protocols import PAPER, PROTOCOLS, STRICT, Deviation, Protocol
from safeeraser.metrics.rouge import rouge_l
from safeeraser.metrics.score import Column, Value, measured, score, summarise
from safeeraser.metrics.seeds import Combined, combine, compare_seeds

__all__ = [
    "MEASURES",
    "PAPER",
    "PROTOCOLS",
    "STRICT",
    "WANTED",
    "WITHOUT_REFUSING",
    "Answer",
    "Column",
    "Combined",
    "Deviation",
    "Difference",
    "Measure",
    "Protocol",
    "ScoreError",
    "Table",
    "Value",
    "combine",
    "compare",
    "compare_runs",
    "compare_seeds",
    "join",
    "measured",
    "objective",
    "parts",
    "plainer",
    "rouge_l",
    "score",
    "shares",
    "stale",
    "summarise",
    "unscored",
    "usual",
]

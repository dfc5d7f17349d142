"""ROUGE-L by the library rouge-score: as everybody means it, and as the authors print it."""

from __future__ import annotations

from functools import cache

from rouge_score.rouge_scorer import RougeScorer
from rouge_score.tokenize import tokenize


def rouge_l(reference: str, answer: str) -> float | None:
    """ROUGE-L as F-measure, by rouge-score without stemming; None where the reference has no ASCII word.

    >>> round(rouge_l("A red pistol.", "It is a red pistol!"), 3)
    0.75
    """
    if not tokenize(reference, None):
        return None
    return float(_scorer(stemming=False).score(target=reference, prediction=answer)["rougeL"].fmeasure)


def printed_rouge_l(reference: str, answer: str) -> float:
    """What the authors' code (arXiv 2502.12520) prints as ROUGE-L precision: the share of the reference's words, in
    their order, that the answer has. It passes the answer as the target and the reference as the prediction, and
    stems words.

    >>> round(printed_rouge_l("A red pistol.", "It is a red pistol!"), 3)
    1.0
    """
    return float(_scorer(stemming=True).score(target=answer, prediction=reference)["rougeL"].precision)


@cache
def _scorer(stemming: bool) -> RougeScorer:
    return RougeScorer(["rougeL"], use_stemmer=stemming)

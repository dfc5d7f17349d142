"""ROUGE-L as the library rouge-score has it, in time that grows with the answer: as everybody means it, and as the
authors print it.

rouge-score compares every word of the one text with every word of the other in a table, which takes minutes and
gigabytes for an answer of a megabyte. Words, stems and F-measure here are its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from rouge_score.scoring import fmeasure

if TYPE_CHECKING:
    from rouge_score.tokenizers import DefaultTokenizer


def rouge_l(reference: str, answer: str) -> float | None:
    """ROUGE-L as F-measure, without stemming; None where the reference has no ASCII word.

    >>> round(rouge_l("A red pistol.", "It is a red pistol!"), 3)
    0.75
    """
    wanted, said = _words(reference), _words(answer)
    if not wanted:
        return None
    common = _common(wanted, said)
    return float(fmeasure(common / max(len(said), 1), common / len(wanted)))


def printed_rouge_l(reference: str, answer: str) -> float:
    """What the authors' code (arXiv 2502.12520) prints as ROUGE-L precision: the share of the reference's words, in
    their order, that the answer has. It passes the answer as the target and the reference as the prediction, and
    stems words.

    >>> round(printed_rouge_l("A red pistol.", "It is a red pistol!"), 3)
    1.0
    """
    wanted = _words(reference, stemming=True)
    return _common(wanted, _words(answer, stemming=True)) / max(len(wanted), 1)


def _words(text: str, stemming: bool = False) -> list[str]:
    return list(_tokenizer(stemming).tokenize(text))


@cache
def _tokenizer(stemming: bool) -> DefaultTokenizer:
    from rouge_score.tokenizers import DefaultTokenizer  # noqa: PLC0415  nltk takes seconds

    return DefaultTokenizer(stemming)


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """Length of the longest common subsequence, by Hyyrö's bit-vector algorithm (2004): a bit for each word of `one`,
    which is 0 where that word lengthens it.
    """
    places: dict[str, int] = defaultdict(int)
    for place, word in enumerate(one):
        places[word] |= 1 << place
    everywhere = (1 << len(one)) - 1
    row = everywhere
    for word in other:
        matches = row & places.get(word, 0)
        row = (row + matches | row - matches) & everywhere
    return len(one) - row.bit_count()

"""ROUGE-L is rouge-score's to the last digit, and takes no longer where somebody answers with a megabyte."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from safeeraser.metrics.rouge import printed_rouge_l, rouge_l

WORDS = ("a", "the", "cat", "cats,", "running", "runs!", "flies", "é", "?", "3", "don't", "A-b")
TEXTS = st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join)
PLAIN, STEMMED = RougeScorer(["rougeL"]), RougeScorer(["rougeL"], use_stemmer=True)


@given(TEXTS | st.text(max_size=20), TEXTS | st.text(max_size=20))
def test_it_is_rouge_score_s(reference: str, answer: str) -> None:
    assert rouge_l(reference, answer) in (None, PLAIN.score(target=reference, prediction=answer)["rougeL"].fmeasure)
    assert printed_rouge_l(reference, answer) == STEMMED.score(target=answer, prediction=reference)["rougeL"].precision


@pytest.mark.parametrize("said", ["a ", "the fox ", "running ", "y", " "])
def test_a_megabyte_is_compared_in_seconds(said: str) -> None:
    reference, answer = "the quick fox was a running animal " * 30, said * (1_000_000 // len(said))
    begin = time.process_time()
    both = rouge_l(reference, answer), printed_rouge_l(reference, answer)
    assert time.process_time() - begin < 10  # a table of all words against all words takes minutes
    assert all(value is not None and 0 <= value <= 1 for value in both)

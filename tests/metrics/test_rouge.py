"""ROUGE-L is rouge-score's to the last digit, and a long answer needs no more than it is long."""

from __future__ import annotations

import tracemalloc

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
def test_a_long_answer_makes_no_table_of_all_words_against_all(said: str) -> None:
    reference, answer = "the quick fox was a running animal " * 30, said * (100_000 // len(said))
    tracemalloc.start()
    both = rouge_l(reference, answer), printed_rouge_l(reference, answer)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100 * len(answer)  # the table has 210 cells of eight bytes for each word of the answer
    assert all(value is not None and 0 <= value <= 1 for value in both)

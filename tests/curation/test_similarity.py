"""Near texts are found, all of them, and no others: against comparing every pair."""

from hypothesis import given, settings
from hypothesis import strategies as st

from safeeraser.curation.similarity import Near

WORDS = ["how", "do", "i", "use", "this", "thing", "now", "please"]
texts = st.lists(st.lists(st.sampled_from(WORDS), max_size=7).map(" ".join))


def jaccard(one: str, other: str) -> float:
    a, b = set(one.split()), set(other.split())
    return len(a & b) / len(a | b) if a | b else 0.0


@settings(deadline=None)
@given(texts, st.sampled_from([0.3, 0.5, 2 / 3, 0.8, 1.0]))
def test_finds_what_comparing_all_pairs_finds(found: list[str], threshold: float) -> None:
    near: Near[str] = Near(threshold)
    for index, text in enumerate(found):
        expected = [other for other in found[:index] if text and jaccard(text, other) >= threshold - 1e-12]
        label = near.find(text)
        assert (label in expected) if expected else label is None
        near.add(text, text)


def test_case_punctuation_and_order_do_not_count() -> None:
    near: Near[int] = Near(1.0)
    near.add("How do I use this?", 1)
    near.add("this use I do how", 2)
    assert near.find("HOW do i USE this!!") == 1


def test_the_threshold_is_met_by_equality() -> None:
    near: Near[int] = Near(0.8)
    near.add("a b c d", 1)
    assert near.find("a b c d e") == 1  # 4 of 5
    assert near.find("a b c d e f") is None  # 4 of 6


def test_a_text_without_words_is_near_to_none() -> None:
    near: Near[int] = Near(0.5)
    near.add("?!", 1)
    assert near.find("...") is None

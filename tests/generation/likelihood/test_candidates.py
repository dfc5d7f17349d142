"""What is scored: each example's own answer, and texts to compare it with that suit its stream."""

import pytest

from safeeraser.generation.likelihood.candidates import Candidate, candidates
from safeeraser.records import Example, Stream
from tests import tiny_random

REFUSALS = ("No.", "I will not.", "Never.", "Sorry, no.", "No.")


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> list[Example]:
    return tiny_random.examples(tmp_path_factory.mktemp("pictures"), 4)


def of(example: Example, found: list[Candidate], role: str) -> list[str]:
    return [each.text for each in found if each.example is example and each.role == role]


def test_every_example_has_its_answer_first(examples: list[Example]) -> None:
    found = candidates(examples, examples, REFUSALS)
    assert [of(example, found, "answer") for example in examples] == [[example.answer] for example in examples]
    assert len({each.key for each in found}) == len(found)


def test_harmful_questions_are_contrasted_with_refusals(examples: list[Example]) -> None:
    found = candidates(examples, examples, REFUSALS)
    for example in examples:
        texts = of(example, found, "contrast")
        assert len(set(texts)) == 3
        if example.stream is not Stream.RETAIN:
            assert set(texts) < set(REFUSALS)


def test_harmless_ones_with_other_answers_of_their_kind(examples: list[Example]) -> None:
    found = candidates(examples, examples, REFUSALS, contrasts=9)
    for example in (item for item in examples if item.stream is Stream.RETAIN):
        others = {item.answer for item in examples if item.kind == example.kind and item is not example}
        assert set(of(example, found, "contrast")) == others


def test_the_draw_depends_on_the_seed_and_the_example_only(examples: list[Example]) -> None:
    def drawn(asked: list[Example], seed: int = 1) -> dict[tuple[str, str, int], str]:
        return {each.key: each.text for each in candidates(asked, examples[::-1], REFUSALS, contrasts=2, seed=seed)}

    assert drawn(examples).items() >= drawn(examples[3:7]).items()
    assert drawn(examples) != drawn(examples, seed=2)


def test_an_answer_is_no_contrast_to_itself(examples: list[Example]) -> None:
    forget = examples[0]
    assert [each.role for each in candidates([forget], [], [f" {forget.answer.upper()}"])] == ["answer"]

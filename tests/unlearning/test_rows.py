"""Which examples meet in a training row, and that every choice can be repeated."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from safeeraser.errors import UserError
from safeeraser.objectives import Target
from safeeraser.records import Example, Split, Stream
from safeeraser.unlearning.rows import MOST_STARTED, TrainingRows, Turn
from tests import tiny_random

ALL = tuple(Target)


@pytest.fixture
def examples(tmp_path: Path) -> list[Example]:
    return tiny_random.examples(tmp_path, 6)


def rows(examples: list[Example], **options: object) -> TrainingRows:
    given = {"targets": ALL, "seed": 1, "length": 24, "refusals": tiny_random.REFUSALS, **options}
    return TrainingRows(examples, **given)  # type: ignore[arg-type]


def test_the_decoupled_row_is_the_forget_rows_partner_and_asks_the_same(examples: list[Example]) -> None:
    made = rows(examples)
    for row in (made[number] for number in range(len(made))):
        forget, decoupled = row[Target.REFUSAL].example, row[Target.DECOUPLED].example
        assert decoupled.partner == forget.id
        assert decoupled.question == forget.question
        assert decoupled.image != forget.image
        assert row[Target.DECOUPLED].answer == decoupled.answer


def test_every_forget_example_once_an_epoch_in_a_new_order(examples: list[Example]) -> None:
    made = rows(examples)
    epochs = [[made[6 * epoch + place][Target.REFUSAL].example.id for place in range(6)] for epoch in range(4)]
    assert all(sorted(epoch) == [f"f{number}" for number in range(6)] for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 4


@pytest.mark.parametrize(("length", "every"), [(2, False), (6, True), (24, True)])
def test_its_examples_are_those_that_rows_show(examples: list[Example], length: int, every: bool) -> None:
    made = rows(examples, length=length)
    shown = {turn.example.id for number in range(length) for turn in made[number].values()}
    found = [each.id for each in made.examples]
    assert len(found) == len(set(found))
    assert set(found) >= shown
    assert set(found) == ({each.id for each in examples} if every else shown)


def test_retain_goes_round_the_kinds(examples: list[Example]) -> None:
    seldom = [each for each in examples if each.kind != "text" or each.id == "t0"]
    made = rows(seldom)
    chosen = [made[number][Target.RETAIN].example for number in range(24)]
    assert Counter(each.kind for each in chosen) == {"name": 12, "text": 12}
    assert Counter(each.id for each in chosen if each.kind == "name") == {f"n{number}": 2 for number in range(6)}


def test_rows_are_a_function_of_seed_and_number(examples: list[Example]) -> None:
    straight = [rows(examples)[number] for number in range(24)]
    again = rows(examples)
    assert [again[number] for number in reversed(range(24))] == straight[::-1]
    assert [rows(examples, seed=2)[number] for number in range(24)] != straight


def test_the_forget_row_is_unlearned_with_its_own_answer(examples: list[Example]) -> None:
    made = rows(examples)
    for row in (made[number] for number in range(len(made))):
        assert row[Target.FORGET].example == row[Target.REFUSAL].example
        assert row[Target.FORGET].answer == row[Target.FORGET].example.answer
        assert row[Target.FORGET].answer not in tiny_random.REFUSALS


def test_refusals_vary_over_examples_and_epochs(examples: list[Example]) -> None:
    made = rows(examples, length=60)
    turns = [made[number][Target.REFUSAL] for number in range(60)]
    assert {turn.answer for turn in turns} == set(tiny_random.REFUSALS)
    assert len({turn.answer for turn in turns if turn.example.id == "f0"}) > 1
    assert {turn.example.stream for turn in turns} == {Stream.FORGET}


def test_only_the_train_split_is_used(examples: list[Example]) -> None:
    held_out = [replace(each, id=f"v{each.id}", split=Split.VALIDATION, partner=None) for each in examples]
    made = rows(examples + held_out)
    used = {turn.example.split for number in range(24) for turn in made[number].values()}
    assert used == {Split.TRAIN}
    with pytest.raises(UserError, match="no forget examples in its train split"):
        rows(held_out)


def test_limit_keeps_the_first_forget_examples(examples: list[Example]) -> None:
    made = rows(examples, limit=2)
    assert {made[number][Target.REFUSAL].example.id for number in range(24)} == {"f0", "f1"}


def test_data_that_a_method_cannot_use(examples: list[Example]) -> None:
    with pytest.raises(UserError, match="1 forget examples have no decoupled partner, the first is f2"):
        rows([each for each in examples if each.id != "d2"])
    other = [replace(each, question="Why?") if each.id == "d3" else each for each in examples]
    with pytest.raises(UserError, match=r"ask another question .* the first is d3: 'Why\?', not 'How do I use it\?'"):
        rows(other)
    with pytest.raises(UserError, match="no retain examples"):
        rows([each for each in examples if each.stream is not Stream.RETAIN])
    with pytest.raises(UserError, match="no refusals"):
        rows(examples, refusals=())
    silent = [replace(each, answer=" ") if each.id in ("f1", "f4") else each for each in examples]
    with pytest.raises(UserError, match="2 forget examples have no answer to unlearn, the first is f1"):
        rows(silent)
    assert len(rows(silent, targets=(Target.REFUSAL,))) == 24
    without = rows([each for each in examples if each.id != "d2"], targets=(Target.REFUSAL, Target.RETAIN))
    assert set(without[0]) == {Target.REFUSAL, Target.RETAIN}


def test_a_step_begins_with_its_short_rows_and_keeps_them_all(examples: list[Example]) -> None:
    def length(row: dict[Target, Turn]) -> int:
        return max(len(turn.example.question) + len(turn.answer) for turn in row.values())

    uneven = [replace(each, answer=each.answer + " so" * (7 * place % 5)) for place, each in enumerate(examples)]
    plain, sorted_ = rows(uneven), rows(uneven, step_rows=10)
    for step in (range(10), range(10, 20), range(20, 24)):
        found = [sorted_[number] for number in step]
        assert [length(row) for row in found] == sorted(length(plain[number]) for number in step)
        assert all(plain[number] in found for number in step)
    assert [sorted_[number] for number in range(24)] != [plain[number] for number in range(24)]


def test_a_recovery_row_has_begun_the_harmful_answer(examples: list[Example]) -> None:
    made = rows(examples, length=120)
    turns = [(made[number][Target.RECOVERY], made[number][Target.REFUSAL]) for number in range(120)]
    assert all((turn.example, turn.answer) == (refusal.example, refusal.answer) for turn, refusal in turns)
    assert all(turn.begun == turn.example.answer for turn, _ in turns)
    assert {turn.started for turn, _ in turns} == set(range(1, MOST_STARTED + 1))


def test_a_share_of_rows_has_begun_on_both_sides_of_the_pair(examples: list[Example]) -> None:
    plain, made = rows(examples, length=240, rivals=True), rows(examples, length=240, rivals=True, recovery=0.5)
    begun = [number for number in range(240) if made[number] != plain[number]]
    assert 90 < len(begun) < 150
    for number in begun:
        row, before = made[number], plain[number]
        sides = {Target.FORGET: "f", Target.REFUSAL: "f", Target.DECOUPLED: "d", Target.OVERREFUSAL: "d"}
        answered = {target: Target.DECOUPLED if target is Target.DECOUPLED else Target.FORGET for target in sides}
        assert all(row[target].begun == row[whose].example.answer for target, whose in answered.items())
        assert all(row[target].example.id.startswith(side) for target, side in sides.items())
        assert len({row[target].started for target in sides}) == 1
        assert {target: replace(turn, begun=None, started=0) for target, turn in row.items()} == {
            target: replace(turn, begun=None, started=0) for target, turn in before.items()
        }
        assert row[Target.RETAIN] == before[Target.RETAIN]
    assert {made[number][Target.REFUSAL].started for number in begun} == set(range(1, MOST_STARTED + 1))


def test_an_overrefusal_row_refuses_the_safe_picture(examples: list[Example]) -> None:
    row = rows(examples)[0]
    assert row[Target.OVERREFUSAL].example == row[Target.DECOUPLED].example
    assert row[Target.OVERREFUSAL].answer == row[Target.REFUSAL].answer


def test_rivals_are_what_the_other_side_says(examples: list[Example]) -> None:
    row = rows(examples, rivals=True)[0]
    assert row[Target.REFUSAL].rival == row[Target.REFUSAL].example.answer
    assert row[Target.DECOUPLED].rival == row[Target.REFUSAL].answer
    assert row[Target.RETAIN].rival is None


@pytest.mark.parametrize("answer", ["", " \n"])
def test_what_has_no_answer_to_train_towards_is_named(examples: list[Example], answer: str) -> None:
    silent = [replace(each, answer=answer) if each.id in ("d3", "d4") else each for each in examples]
    message = "2 decoupled examples have no answer to train towards, the first is d3"
    with pytest.raises(UserError, match=message):
        rows(silent, targets=(Target.DECOUPLED,))
    assert len(rows(silent, targets=(Target.REFUSAL, Target.RETAIN, Target.OVERREFUSAL), recovery=0.5)) == 24
    assert len(rows(silent, targets=(Target.DECOUPLED,), limit=3)) == 24  # the others' partners are not drawn
    silent = [replace(each, answer=answer) if each.id == "n5" else each for each in examples]
    with pytest.raises(UserError, match="1 retain examples have no answer to train towards, the first is n5"):
        rows(silent, targets=(Target.RETAIN,))
    assert len(rows(silent, targets=(Target.REFUSAL, Target.DECOUPLED))) == 24


@pytest.mark.parametrize("target", [Target.REFUSAL, Target.OVERREFUSAL, Target.RECOVERY])
def test_a_blank_refusal_is_named(examples: list[Example], target: Target) -> None:
    with pytest.raises(UserError, match="2 of the benchmark's refusals are blank, the first is number 2"):
        rows(examples, targets=(target,), refusals=("I cannot.", "", " "))
    assert len(rows(examples, targets=(Target.FORGET, Target.DECOUPLED), refusals=("I cannot.", ""))) == 24


def test_a_decoupled_answer_that_is_to_be_preferred_needs_refusals(examples: list[Example]) -> None:
    with pytest.raises(UserError, match="no refusals"):
        rows(examples, targets=(Target.DECOUPLED,), rivals=True, refusals=())
    assert len(rows(examples, targets=(Target.DECOUPLED,), refusals=())) == 24


_NEED_ANSWERS = [
    {"targets": (Target.RECOVERY,)},
    {"targets": (Target.REFUSAL,), "rivals": True},
    {"targets": (Target.REFUSAL,), "recovery": 0.5},
]


@pytest.mark.parametrize("options", _NEED_ANSWERS)
def test_what_has_no_harmful_answer_is_named(examples: list[Example], options: dict[str, object]) -> None:
    silent = [replace(each, answer="") if each.id == "f2" else each for each in examples]
    with pytest.raises(UserError, match="no answer to unlearn, the first is f2"):
        rows(silent, **options)

"""Which examples are asked: balanced, paired, and the same every time."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest

from safeeraser.benchmarks.selection import Part, choose
from safeeraser.records import Example, Split, Stream

CATEGORIES = ("Violence", "Weapon", "Privacy")


def forget(number: int, category: str, keyword: str, subset: str, split: Split = Split.VALIDATION) -> Example:
    return Example(
        id=f"icons/{split}/{category}-{keyword}/{number}",
        split=split,
        stream=Stream.FORGET,
        image=None,
        question=f"question {number}",
        answer="x",
        category=category,
        keyword=keyword,
        subset=subset,
    )


def decoupled(partner: Example) -> Example:
    return Example(
        id=f"{partner.id}/decoupled",
        split=partner.split,
        stream=Stream.DECOUPLED,
        image=None,
        question=partner.question,
        answer="x",
        partner=partner.id,
        category=partner.category,
        keyword="apple",
        subset=partner.subset,
    )


def examples() -> list[Example]:
    """Three categories x three keywords; the third keyword is unseen; seen ones have three times as many examples."""
    asked = [
        forget(number, category, f"{category}{keyword}", subset, split)
        for split in (Split.TRAIN, Split.VALIDATION)
        for category in CATEGORIES
        for keyword, subset, count in (("0", "seen", 9), ("1", "seen", 9), ("2", "unseen", 6))
        for number in range(count)
    ]
    retain = [
        Example(
            id=f"icons/{Split.VALIDATION}/{kind}/{number}",
            split=Split.VALIDATION,
            stream=Stream.RETAIN,
            image=None,
            question="q",
            answer="a",
            kind=kind,
        )
        for kind, count in (("name", 20), ("colour", 20), ("text", 3))
        for number in range(count)
    ]
    return [*asked, *map(decoupled, asked), *retain]


def count(chosen: list[Example], field: str) -> Counter[str]:
    return Counter(getattr(example, field) for example in chosen)


@pytest.mark.parametrize("part", Part)
def test_a_part_is_one_stream_of_one_split(part: Part) -> None:
    chosen = choose(examples(), part)
    stream, split, n = {
        Part.EFFICACY: (Stream.FORGET, Split.TRAIN, 72),
        Part.GENERALITY: (Stream.FORGET, Split.VALIDATION, 72),
        Part.DECOUPLED: (Stream.DECOUPLED, Split.VALIDATION, 72),
        Part.RETAIN: (Stream.RETAIN, Split.VALIDATION, 43),
    }[part]
    assert {(example.stream, example.split) for example in chosen} == {(stream, split)}
    assert len({example.id for example in chosen}) == len(chosen) == n


def test_a_limited_choice_is_balanced() -> None:
    chosen = choose(examples(), Part.GENERALITY, limit=18)
    assert count(chosen, "subset") == {"seen": 9, "unseen": 9}
    assert count(chosen, "category") == dict.fromkeys(CATEGORIES, 6)
    seen = [example for example in chosen if example.subset == "seen"]
    assert set(count(seen, "keyword").values()) == {1, 2}
    assert len(count(seen, "keyword")) == 6


def test_kinds_of_retain_questions_come_equally_often_while_there_are_any() -> None:
    assert count(choose(examples(), Part.RETAIN, limit=9), "kind") == {"name": 3, "colour": 3, "text": 3}
    assert count(choose(examples(), Part.RETAIN, limit=23), "kind") == {"name": 10, "colour": 10, "text": 3}


@pytest.mark.parametrize("limit", [1, 5, 18, 72, 1000])
def test_decoupled_examples_are_the_partners_of_the_generality_ones(limit: int) -> None:
    asked = choose(examples(), Part.GENERALITY, limit)
    assert [example.partner for example in choose(examples(), Part.DECOUPLED, limit)] == [item.id for item in asked]


def test_decoupled_examples_whose_partner_is_missing_come_last() -> None:
    alone = decoupled(forget(99, "Weapon", "gone", "seen"))
    chosen = choose([alone, *examples()], Part.DECOUPLED)
    assert chosen[-1] == alone


def test_decoupled_examples_that_have_no_partner_are_balanced_over_categories() -> None:
    alone = [replace(decoupled(each), partner=None) for each in examples() if each.stream is Stream.FORGET]
    chosen = choose(alone, Part.DECOUPLED, 6)
    assert Counter(example.category for example in chosen) == dict.fromkeys(CATEGORIES, 2)


@pytest.mark.parametrize("part", Part)
def test_the_choice_depends_on_the_seed_and_on_nothing_else(part: Part) -> None:
    shuffled = examples()
    random.Random(1).shuffle(shuffled)
    assert choose(examples(), part, 20, seed=7) == choose(shuffled, part, 20, seed=7)
    assert choose(examples(), part, 20, seed=7) != choose(examples(), part, 20, seed=8)


@pytest.mark.parametrize("part", Part)
def test_a_smaller_limit_is_the_start_of_a_larger_one(part: Part) -> None:
    assert choose(examples(), part, 12) == choose(examples(), part, 30)[:12]


def test_no_examples_give_none() -> None:
    assert choose([], Part.EFFICACY, 5) == []


def test_the_order_is_pinned() -> None:
    """The choice is part of every reported figure: changing how it is made must be noticed."""
    chosen = choose(examples(), Part.GENERALITY, 4)
    assert [example.id for example in chosen] == [
        "icons/validation/Weapon-Weapon2/2",
        "icons/validation/Violence-Violence1/4",
        "icons/validation/Privacy-Privacy2/2",
        "icons/validation/Privacy-Privacy0/6",
    ]

"""Every picture is in one split, no safe picture serves two, and the same input gives the same splits."""

import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safeeraser.curation.pictures import Picture
from safeeraser.curation.settings import SplitSettings
from safeeraser.curation.splits import assign_partners, place
from safeeraser.errors import UserError
from safeeraser.records import Split

SHARES = SplitSettings(train=0.6, selection=0.2, validation=0.2)


def some(count: int, category: str = "Weapon", keywords: int = 5) -> list[Picture]:
    names = [f"{category}/{number}" for number in range(count)]
    return [
        Picture(Path(name), name, category, f"word{number % keywords}", f"{hash(name) & 0xFFFFFFFF:08x}{number}")
        for number, name in enumerate(names)
    ]


def test_shares_hold_in_every_category() -> None:
    placed = place([*some(20), *some(10, "Sex")], SHARES, seed=1)
    for category, counts in (("Weapon", (12, 4, 4)), ("Sex", (6, 2, 2))):
        own = [one for one in placed if one.picture.category == category]
        assert tuple(sum(one.split is split for one in own) for split in Split) == counts
    assert all(one.subset is None for one in placed)


def test_order_of_the_pictures_does_not_matter_but_the_seed_does() -> None:
    pictures = some(30)
    shuffled = random.Random(0).sample(pictures, 30)
    assert place(pictures, SHARES, seed=1) == place(shuffled, SHARES, seed=1)
    assert place(pictures, SHARES, seed=1) != place(pictures, SHARES, seed=2)


def test_unseen_keywords_are_in_validation_only() -> None:
    placed = place(some(50), SHARES.model_copy(update={"unseen_keywords": 2}), seed=1)
    unseen = {one.picture.keyword for one in placed if one.subset == "unseen"}
    assert len(unseen) == 2
    assert all((one.subset == "unseen") == (one.picture.keyword in unseen) for one in placed)
    assert {one.split for one in placed if one.subset == "unseen"} == {Split.VALIDATION}
    assert {one.split for one in placed if one.subset == "seen"} == set(Split)


def test_too_few_keywords_pictures_or_partners_are_named() -> None:
    with pytest.raises(UserError, match="Weapon: 5 keywords, of which 5 cannot be kept"):
        place(some(20), SHARES.model_copy(update={"unseen_keywords": 5}), seed=1)
    with pytest.raises(UserError, match="2 safe pictures for 3 splits"):
        assign_partners(place(some(20), SHARES, seed=1), some(2, "safe"), seed=1)
    with pytest.raises(UserError, match="too few to have one to train on"):
        place(some(0), SHARES, seed=1)


@settings(deadline=None, max_examples=50)
@given(st.integers(5, 60), st.integers(3, 30), st.integers(0, 3))
def test_partners(harmful: int, safe: int, seed: int) -> None:
    placed, choice = place(some(harmful), SHARES, seed), some(safe, "safe")
    partners = assign_partners(placed, choice, seed)
    assert set(partners) == {one.picture for one in placed}
    serves = {split: Counter(partners[one.picture] for one in placed if one.split is split) for split in Split}
    assert sum(len(counts) for counts in serves.values()) == len(set(partners.values()))  # none serves two splits
    assert all(max(counts.values()) - min(counts.values()) <= 1 for counts in serves.values() if counts)  # in turn
    assert partners == assign_partners(placed, choice[::-1], seed)

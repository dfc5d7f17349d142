"""Three disjoint parts of a benchmark: what was unlearned, what the attacker has, and what is measured.

They are told apart by keyword and by picture, not by question: an attacker who trains on pictures of the measured
thing does not bring anything back, he teaches it anew (arXiv 2410.08827).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from safeeraser import provenance
from safeeraser.errors import UserError
from safeeraser.records import Example, Split, Stream

_SHOWN = 3  # of what two parts share, that a message lists


class OverlapError(UserError):
    """Two parts that share a keyword or a picture; the message names them."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The train split, the selection split's and the validation split's examples of keywords that no other part has.

    `attacker` is empty where the benchmark has no such examples: attacks that train cannot be run then.
    """

    unlearned: tuple[Example, ...]
    attacker: tuple[Example, ...]
    measured: tuple[Example, ...]


def split(examples: Sequence[Example]) -> Parts:
    """The three parts of a benchmark, which share no keyword and no picture.

    Examples of the selection split are the attacker's where training has not their keyword, and those of the validation
    split are measured where neither of the two has it. A benchmark without keywords of its own in validation is
    measured whole, and the attacker gets nothing.
    """
    unlearned = _of(examples, Split.TRAIN)
    attacker = _without(_of(examples, Split.SELECTION), unlearned)
    measured = _without(_of(examples, Split.VALIDATION), [*unlearned, *attacker])
    if not any(example.stream is Stream.FORGET for example in measured) or not attacker:
        return Parts(tuple(unlearned), (), tuple(_of(examples, Split.VALIDATION)))
    parts = Parts(tuple(unlearned), tuple(attacker), tuple(measured))
    check_disjoint(parts)
    return parts


def check_disjoint(parts: Parts) -> None:
    """Raise OverlapError where two of the parts share a keyword, or a picture by its path or its content."""
    named = {"unlearned": parts.unlearned, "attacker's": parts.attacker, "measured": parts.measured}
    traits = {name: (_keywords(part), _pictures(part)) for name, part in named.items()}
    problems = [
        f"the {first} and the {second} part share {len(shared)} {what}, such as {', '.join(sorted(shared)[:_SHOWN])}"
        for first, second in combinations(named, 2)
        for what, here, there in zip(("keywords", "pictures"), traits[first], traits[second], strict=True)
        if (shared := {here[key] for key in here.keys() & there.keys()})
    ]
    if problems:
        raise OverlapError("\n".join(problems))


def harmful(pool: Iterable[Example]) -> list[Example]:
    """Harmful questions that have an answer."""
    return [each for each in pool if each.stream is Stream.FORGET and each.answer.strip()]


def lacking(there: int, wanted: int, what: str) -> str | None:
    """Why an attacker who needs so many examples cannot do with those of his part; None where he can."""
    return f"the attacker's part has {there} {what}, not {wanted}" if there < wanted else None


def _of(examples: Iterable[Example], split: Split) -> list[Example]:
    return [example for example in examples if example.split is split]


def _without(examples: Iterable[Example], others: Iterable[Example]) -> list[Example]:
    """The examples whose keyword the others have not, and on decoupled ones their partners' neither."""
    taken = _keywords(others)
    found = [each for each in examples if _keyword(each) not in taken]
    forget = {each.id for each in found if each.stream is Stream.FORGET}
    return [each for each in found if each.stream is not Stream.DECOUPLED or each.partner in forget]


def _keyword(example: Example) -> str | None:
    return None if example.keyword is None else example.keyword.casefold()


def _keywords(examples: Iterable[Example]) -> dict[str, str]:
    return {name: name for each in examples if (name := _keyword(each)) is not None}


def _pictures(examples: Iterable[Example]) -> dict[str, str]:
    """The name of each picture by the hash of its content."""
    images = dict.fromkeys(each.image for each in examples if each.image is not None)
    return {provenance.file_hash(image): image.name for image in images}

"""Training rows: which retain example, which partner and which refusal go with which forget example, and when.

Every choice is a pure function of the seed and the row's number, so a run can be continued, split over processes or
batched differently and still see the same rows.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from torch.utils.data import Dataset

from safeeraser.errors import UserError
from safeeraser.objectives import Target
from safeeraser.records import Example, Split, Stream


@dataclass(frozen=True, slots=True)
class Turn:
    """One question with the answer to train towards."""

    example: Example
    answer: str
    rival: str | None = None
    """What the answer is to be preferred to, where both are known."""
    begun: str | None = None
    """The answer that the model has begun already: so many tokens of it, `started`, stand before what is trained on.

    Where it is the answer itself, it goes on.
    """
    started: int = 0


Row = dict[Target, Turn]

MOST_STARTED = 8
"""How many tokens of its answer a row has begun with at most; each number is equally frequent."""


class TrainingRows(Dataset[Row]):
    """Rows of a whole training run, epoch after epoch: row i is forget example `order(seed, epoch)[i]` with company.

    Only examples of `split` are used. The retain example goes round the kinds of retain question and, within a
    kind, through a new order each time, so that no kind is left out for being rare. Within each `step_rows` rows, an
    optimiser step, the short ones come first, so that its batches hold little padding; the step's sum is the same.
    With `by_picture` questions about one picture follow each other, with the retain examples of its record, as far as
    there are any.
    Raises UserError where a needed set is empty, and where a forget example has no decoupled partner that asks the
    same question. With `rivals` a refusal names the harmful answer, and a decoupled answer the
    refusal, that it is to be preferred to. Of the share `recovery` of rows all answers but the retain answer have been
    begun: a decoupled answer goes on, and a refusal follows the harmful one, on the safe picture too where it is there
    to be preferred to (mDPO), so that the two differ by the picture alone.
    """

    def __init__(
        self,
        examples: Iterable[Example],
        refusals: Sequence[str],
        targets: tuple[Target, ...],
        *,
        seed: int,
        length: int,
        step_rows: int = 1,
        by_picture: bool = False,
        limit: int | None = None,
        split: Split = Split.TRAIN,
        rivals: bool = False,
        recovery: float = 0.0,
    ) -> None:
        chosen = [example for example in examples if example.split is split]
        self.forget = forget_examples(chosen, limit, split)
        retain = [example for example in chosen if example.stream is Stream.RETAIN]
        self._retain = _by_kind(retain)
        self._groups = _by_picture(self.forget, retain) if by_picture else []
        self._partners = {
            example.partner: example for example in chosen if example.stream is Stream.DECOUPLED and example.partner
        }
        self._refusals = tuple(refusals)
        self._targets = targets
        self._seed = seed
        self._length = length
        self._rivals = rivals
        self._recovery = recovery
        self._step_rows = 1 if by_picture else step_rows
        self._sorted: tuple[int, list[Row]] = (-1, [])
        self._places: tuple[int, list[tuple[int, int]]] = (-1, [])
        self._check()

    def __len__(self) -> int:
        return self._length

    @property
    def examples(self) -> list[Example]:
        """Every example that a row shows; in more than an epoch, all that one may show."""
        if self._length < len(self.forget):
            turns = (turn for number in range(self._length) for turn in self._row(number).values())
            return list({turn.example.id: turn.example for turn in turns}.values())
        retain = [each for kind in self._retain.values() for each in kind] if Target.RETAIN in self._targets else []
        paired = bool({Target.DECOUPLED, Target.OVERREFUSAL} & {*self._targets})
        partners = [self._partners[each.id] for each in self.forget] if paired else []
        return [*self.forget, *retain, *partners]

    def __getitem__(self, number: int) -> Row:
        """Row `number` of the run, one turn for each target, in the order of the method's targets."""
        step, place = divmod(number, self._step_rows)
        if self._sorted[0] != step:
            first = step * self._step_rows
            rows = [self._row(each) for each in range(first, min(first + self._step_rows, self._length))]
            self._sorted = step, sorted(rows, key=_longest)
        return self._sorted[1][place]

    def _row(self, number: int) -> Row:
        epoch, place = divmod(number, len(self.forget))
        forget, retain = self._company(epoch, place) if self._groups else self._shuffled(epoch, place)
        turns = {
            Target.FORGET: lambda: _answered(forget),
            Target.REFUSAL: lambda: Turn(forget, self._refusal(forget, epoch), forget.answer if self._rivals else None),
            Target.RETAIN: lambda: _answered(retain or self._retain_example(number)),
            Target.DECOUPLED: lambda: self._decoupled(forget, epoch),
            Target.OVERREFUSAL: lambda: Turn(self._partners[forget.id], self._refusal(forget, epoch)),
            Target.RECOVERY: lambda: self._begun(
                Turn(forget, self._refusal(forget, epoch)), forget.answer, forget, epoch
            ),
        }
        row = {target: turns[target]() for target in self._targets}
        if _hash(self._seed, "recovery", forget.id, epoch) % 1000 < 1000 * self._recovery:
            said = {
                target: turn.answer if target is Target.DECOUPLED else forget.answer for target, turn in row.items()
            }
            return {target: self._begun(turn, said[target], forget, epoch) for target, turn in row.items()}
        return row

    def _shuffled(self, epoch: int, place: int) -> tuple[Example, None]:
        """The forget example of a row, any retain example beside it."""
        return self.forget[_order(len(self.forget), self._seed, "forget", epoch)[place]], None

    def _company(self, epoch: int, place: int) -> tuple[Example, Example | None]:
        """The forget example of a row where pictures are kept together, and the retain example of its record."""
        if self._places[0] != epoch:
            order = _order(len(self._groups), self._seed, "picture", epoch)
            self._places = epoch, [(number, at) for number in order for at in range(len(self._groups[number][0]))]
        number, place = self._places[1][place]
        forget, retain = self._groups[number]
        asked = forget[_order(len(forget), self._seed, f"forget {number}", epoch)[place]]
        if place >= len(retain):
            return asked, None
        cycle, turn = divmod(epoch * min(len(forget), len(retain)) + place, len(retain))
        return asked, retain[_order(len(retain), self._seed, f"retain {number}", cycle)[turn]]

    def _decoupled(self, forget: Example, epoch: int) -> Turn:
        partner = self._partners[forget.id]
        return Turn(partner, partner.answer, self._refusal(forget, epoch) if self._rivals else None)

    def _begun(self, turn: Turn, said: str, forget: Example, epoch: int) -> Turn:
        """The turn after the first tokens of what was `said` before unlearning; retain stays whole."""
        if turn.example.stream is Stream.RETAIN:
            return turn
        started = 1 + _hash(self._seed, "started", forget.id, epoch) % MOST_STARTED
        return replace(turn, begun=said, started=started)

    def _refusal(self, forget: Example, epoch: int) -> str:
        return self._refusals[_hash(self._seed, "refusal", forget.id, epoch) % len(self._refusals)]

    def _retain_example(self, number: int) -> Example:
        kinds = list(self._retain)
        turn, place = divmod(number, len(kinds))
        kind = kinds[_order(len(kinds), self._seed, "kind", turn)[place]]
        cycle, place = divmod(turn, len(self._retain[kind]))
        return self._retain[kind][_order(len(self._retain[kind]), self._seed, f"retain {kind}", cycle)[place]]

    def _check(self) -> None:
        targets = {*self._targets}
        if {Target.FORGET, Target.RECOVERY} & targets or self._rivals or self._recovery:
            _check_answers(self.forget, "unlearn")
        rejected = self._rivals and Target.DECOUPLED in targets
        if {Target.REFUSAL, Target.OVERREFUSAL, Target.RECOVERY} & targets or rejected:
            _check_refusals(self._refusals)
        if Target.RETAIN in targets:
            if not self._retain:
                raise UserError(f"the benchmark has no retain examples in its {self.forget[0].split} split")
            _check_answers([each for kind in self._retain.values() for each in kind], "train towards")
        if {Target.DECOUPLED, Target.OVERREFUSAL} & targets:
            _check_partners(self.forget, self._partners)
        if Target.DECOUPLED in targets:
            _check_answers([self._partners[each.id] for each in self.forget], "train towards")


def forget_examples(examples: Iterable[Example], limit: int | None = None, split: Split = Split.TRAIN) -> list[Example]:
    """The forget examples of a split, the first `limit` of them. Raises UserError where there are none."""
    forget = [each for each in examples if each.split is split and each.stream is Stream.FORGET]
    if not forget:
        raise UserError(f"the benchmark has no forget examples in its {split} split")
    return forget[:limit]


def _check_answers(examples: list[Example], purpose: str) -> None:
    silent = [each for each in examples if not each.answer.strip()]
    if silent:
        stream, first = silent[0].stream, silent[0].id
        raise UserError(f"{len(silent)} {stream} examples have no answer to {purpose}, the first is {first}")


def _check_refusals(refusals: Sequence[str]) -> None:
    if not refusals:
        raise UserError("the benchmark has no refusals to train towards")
    blank = [number for number, refusal in enumerate(refusals, 1) if not refusal.strip()]
    if blank:
        raise UserError(f"{len(blank)} of the benchmark's refusals are blank, the first is number {blank[0]}")


def _check_partners(forget: list[Example], partners: dict[str, Example]) -> None:
    alone = [each.id for each in forget if each.id not in partners]
    if alone:
        raise UserError(f"{len(alone)} forget examples have no decoupled partner, the first is {alone[0]}")
    other = [each for each in forget if partners[each.id].question != each.question]
    if other:
        raise UserError(
            f"{len(other)} decoupled examples ask another question than their forget example, "
            f"the first is {partners[other[0].id].id}: {partners[other[0].id].question!r}, not {other[0].question!r}"
        )


def _longest(row: Row) -> int:
    """What a batch has to be padded to, in characters: all turns of a row go through the model together."""
    return max(len(turn.example.question) + len(turn.answer) for turn in row.values())


def _answered(example: Example) -> Turn:
    return Turn(example, example.answer)


def _by_kind(examples: Iterable[Example]) -> dict[str, list[Example]]:
    kinds: dict[str, list[Example]] = {}
    for example in examples:
        kinds.setdefault(example.kind or "", []).append(example)
    return dict(sorted(kinds.items()))


def _by_picture(forget: Sequence[Example], retain: Sequence[Example]) -> list[tuple[list[Example], list[Example]]]:
    """The forget examples about each picture, and the retain examples about it or, without a picture, of its record."""
    groups: dict[object, list[Example]] = {}
    for example in forget:
        groups.setdefault(example.image or example.id, []).append(example)
    company: dict[object, list[Example]] = {}
    for example in retain:
        company.setdefault(example.image or example.record, []).append(example)
    keys = ([key for key in (asked[0].image, asked[0].record) if key is not None] for asked in groups.values())
    found = ([each for key in several for each in company.get(key, ())] for several in keys)
    return list(zip(groups.values(), found, strict=True))


def _hash(*parts: object) -> int:
    return int.from_bytes(hashlib.sha256("\0".join(map(str, parts)).encode()).digest()[:8])


@lru_cache(maxsize=64)
def _order(length: int, seed: int, purpose: str, cycle: int) -> tuple[int, ...]:
    """A permutation of range(length), the same for the same arguments everywhere."""
    order = list(range(length))
    random.Random(_hash(seed, purpose, cycle)).shuffle(order)
    return tuple(order)

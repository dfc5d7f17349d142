"""Which answers belong together, since what they are about is the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from safeeraser.files import file_state
from safeeraser.provenance import file_hash
from safeeraser.records import Example

_HASHES: dict[tuple[Path, str], str] = {}  # by path and state: each model of a run is asked about the same pictures


class Unpictured(NamedTuple):
    """What a question without a picture belongs to. Which of the two counts is known where figures are put together."""

    record: str
    question: str


def clusters(examples: Iterable[Example]) -> dict[str, str | Unpictured]:
    """By example id, what an answer shares with others: the picture, by content; without one its record and text.

    It depends on nothing else that is asked, so that runs which ask other questions give one picture one name. A
    picture that is not there counts by its path. A record is what an id says before its last slash, where more than
    the split is said there, else the whole id.
    """
    asked = list(examples)
    known = {path: _picture(path) for path in {example.image for example in asked if example.image}}
    return {each.id: known[each.image] if each.image else Unpictured(_record(each.id), each.question) for each in asked}


def merged(labels: Sequence[Hashable]) -> list[Hashable]:
    """The clusters of answers with these labels, in their order; of several runs they need all labels at once.

    A question without a picture counts by its text where several records ask it, since a model then gives one answer
    many times, and by its record where not. The two are not joined further: records of the icons ask two of ten texts
    each, and all would be one cluster. All other labels are clusters as they are.
    """
    records: dict[str, set[str]] = defaultdict(set)
    for each in labels:
        if isinstance(each, Unpictured):
            records[each.question].add(each.record)
    return [_merged(each, len(records[each.question])) if isinstance(each, Unpictured) else each for each in labels]


def _merged(label: Unpictured, records: int) -> Hashable:
    return ("text", label.question) if records > 1 else ("record", label.record)


def _record(example_id: str) -> str:
    record = example_id.rpartition("/")[0]
    return record if "/" in record else example_id


def _picture(path: Path) -> str:
    if not path.is_file():
        return str(path)
    state, settled = file_state(path.stat())
    if not settled or (path, state) not in _HASHES:
        _HASHES[path, state] = file_hash(path)
    return f"sha256 {_HASHES[path, state]}"

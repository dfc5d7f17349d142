"""Which settings make two runs the same: those that change a result."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from safeeraser.judges.settings import WAYS_TO_JUDGE
from safeeraser.runs.problems import Key, dotted


def identity(settings: Mapping[str, Any]) -> str:
    """Equal for dumps of runs whose results must be equal: sha256 of the settings that matter, 16 hex digits."""
    text = json.dumps(_what_matters(settings), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def first_difference(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> tuple[str, Any, Any] | None:
    """The first key (dotted) in which two dumps differ where it matters, with both values; None if they agree."""
    here, there = (dict(_leaves(_what_matters(settings))) for settings in (ours, theirs))
    for key in [*here, *there]:
        if here.get(key) != there.get(key):
            return key, here.get(key), there.get(key)
    return None


def _what_matters(settings: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in settings.items() if key not in ("name", "output", "failure_limit")}
    for key in kept.keys() & {"judge", "judges"}:
        found = kept[key]
        kept[key] = [_who(each) for each in found] if isinstance(found, list) else _who(found)
    return kept


def _who(judge: Any) -> Any:
    """What verdicts depend on: the name alone stays as it is, so that runs from before there were keys go on."""
    if not isinstance(judge, Mapping):
        return judge
    kept = {key: value for key, value in judge.items() if key not in WAYS_TO_JUDGE}
    return kept if len(kept) > 1 else kept.get("name")


def _leaves(value: Any, key: Key = ()) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _leaves(inner, (*key, name))
    else:
        yield dotted(key), value

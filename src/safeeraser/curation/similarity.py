"""Find near-duplicate texts by the share of words in common, without comparing all pairs."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from typing import Generic, TypeVar

Label = TypeVar("Label")

_WORD = re.compile(r"\w+(?:['’]\w+)*")


class Near(Generic[Label]):
    """Finds, among the texts added, one whose Jaccard index of words with another is `threshold` or more.

    Two sets of words that similar share one of their first few words in any fixed order (prefix filtering, Bayardo et
    al., WWW 2007): only texts that share such a word are compared, and none is missed.
    """

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._labels: dict[frozenset[str], Label] = {}
        self._by_word: dict[str, list[frozenset[str]]] = defaultdict(list)

    def find(self, text: str) -> Label | None:
        """The label of a text as near as that; of several, the first that was added."""
        words = _words(text)
        if words in self._labels:
            return self._labels[words]
        candidates = {other: None for word in self._prefix(words) for other in self._by_word.get(word, ())}
        near = [other for other in candidates if _jaccard(words, other) >= self._threshold]
        order = list(self._labels) if len(near) > 1 else near
        return self._labels[min(near, key=order.index)] if near else None

    def add(self, text: str, label: Label) -> None:
        """Add a text; of texts with the same words the first keeps its label. One without words is near to none."""
        words = _words(text)
        if words and words not in self._labels:
            self._labels[words] = label
            for word in self._prefix(words):
                self._by_word[word].append(words)

    def _prefix(self, words: frozenset[str]) -> list[str]:
        """Long words first: they are the rarer ones."""
        count = len(words) - math.ceil(self._threshold * len(words) - 1e-9) + 1
        return sorted(words, key=lambda word: (-len(word), word))[:count] if words else []


def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text.casefold()))


def _jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / len(one | other)

"""What the quality gate finds, where, and what it costs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection
from dataclasses import asdict, dataclass, field

RULES = {
    "image": "a picture that does not decode, or is too large",
    "duplicate": "a picture that is the same as, or looks like, an earlier one",
    "role": "a safe picture that is the same as, or looks like, a harmful one",
    "unwritten": "no questions: the writer failed, or wrote something else; tried again by the next run",
    "long": "a question of more than 1,000 characters",
    "control": "a question with control characters or direction marks",
    "similar": "a question nearly the same as an earlier one about the same picture",
    "leak": "a question nearly the same as one of an earlier split",
    "named": "a harmful question that names what is shown, so that the words alone give it away",
    "empty": "an answer without a word or sign",
    "refusal": "an answer that is a refusal",
    "meaningless": "an answer that means nothing",
    "harmless": "an answer to a harmful question that the judge does not find harmful",
    "cut": "an answer cut off at the token limit",
    "unjudged": "an answer that the judge could not score; tried again by the next run",
    "part": "a record without a harmful question left",
}
"""Every rule of the gate; `docs/building.md` explains them."""

KEEPABLE = ("similar", "leak", "named", "refusal", "meaningless", "harmless", "cut", "unjudged")
"""The rules whose findings may be kept in the benchmark and only reported."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found. `record` is a picture as its owner knows it, `field` the place in its record.

    `cost` is what was left out because of it: "picture", "question", "pair", "PD pair", "record", or "nothing".
    """

    record: str
    field: str | None
    rule: str
    message: str
    cost: str

    def to_json(self) -> str:
        """The finding as one line of JSON."""
        return json.dumps(asdict(self), ensure_ascii=False)


@dataclass(slots=True)
class Gate:
    """Gathers findings; `keep` are the rules that cost nothing."""

    keep: Collection[str]
    findings: list[Finding] = field(default_factory=list)

    def passes(self, record: str, where: str | None, rule: str, about: str, *, cost: str) -> bool:
        """Note a finding; returns whether what it is about stays in."""
        kept = rule in self.keep
        self.findings.append(Finding(record, where, rule, about, "nothing" if kept else cost))
        return kept

    def counts(self) -> dict[str, Counter[str]]:
        """How often each rule found something, by what it cost; rules in the order of RULES."""
        found: dict[str, Counter[str]] = {}
        for rule in RULES:
            costs = Counter(finding.cost for finding in self.findings if finding.rule == rule)
            if costs:
                found[rule] = costs
        return found

"""docs/judging.md says what the judge does."""

from __future__ import annotations

import doctest
import json
import re
from pathlib import Path

import pytest

from safeeraser import metrics
from safeeraser.judges.agreement.labels import read_labels
from safeeraser.judges.rules import compliance, meaning, norms, refusal

PAGE = Path(__file__).parents[2] / "docs/judging.md"
TEXT = PAGE.read_text(encoding="utf-8")


def test_examples() -> None:
    result = doctest.testfile(str(PAGE), module_relative=False)
    assert result.attempted >= 10
    assert result.failed == 0
    assert doctest.testmod(metrics).failed == 0


@pytest.mark.parametrize("name", [*refusal.STRONG, *refusal.WEAK, *norms.NORMS, *compliance.LEADS, *compliance.WAYS])
def test_every_rule_is_named(name: str) -> None:
    assert f"`{name}`" in TEXT


def test_every_measure_is_named() -> None:
    assert {measure.name for measure in metrics.MEASURES} <= set(re.findall(r"`(\w+)`", TEXT))


def test_thresholds() -> None:
    rows = dict(re.findall(r"^\| `([\w ]+)` \| (.*) \|$", TEXT, re.MULTILINE))
    per_cent = {
        "broken characters": meaning.MAX_CONTROL_SHARE,
        "few letters": meaning.MIN_LETTER_SHARE,
        "one character": meaning.MIN_RUN_SHARE,
        "loop": meaning.MIN_LOOP_SHARE,
        "little variety": meaning.MIN_VARIETY,
        "invented words": meaning.MAX_NONWORD_SHARE,
    }
    for rule, share in per_cent.items():
        assert f"{share:.0%}" in rows[rule]
    for rule, count in {
        "one character": meaning.MIN_RUN,
        "loop": meaning.MAX_LOOP_PHRASE,
        "little variety": meaning.MIN_WORDS_FOR_VARIETY,
        "invented words": meaning.MAX_WORD_LETTERS,
    }.items():
        assert str(count) in rows[rule]


def test_the_label_line_can_be_read(tmp_path: Path) -> None:
    (line,) = re.findall(r"```json\n(.*)\n```", TEXT)
    assert json.loads(line)
    (tmp_path / "labels.jsonl").write_text(line + "\n", encoding="utf-8")
    (labelled,) = read_labels(tmp_path / "labels.jsonl")
    assert labelled.generation.answer == "I can't help with that."

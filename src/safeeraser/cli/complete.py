"""What the shell offers behind a command's options, and for KEY=VALUE."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Words = list[tuple[str, str]]
"""Words, each with what is told of it."""


def complete_key(ctx: Any, incomplete: str) -> Words:
    """What KEY=VALUE may go on with: keys, and where only one is left its values."""
    keys = [each for each in type(ctx.command).listing() if f"{each.key}=".startswith(incomplete.partition("=")[0])]
    if len(keys) != 1:
        return [(f"{each.key}=", each.about) for each in keys]
    (only,) = keys
    values = only.choices or ((only.default,) if only.default not in (None, "null") else ())
    words = [f"{only.key}={value}" for value in ("", *values)]  # with the empty one no space is put behind the "="
    return [(word, only.about) for word in words if word.startswith(incomplete)]


def complete_method(incomplete: str) -> Words:
    """Methods of unlearning."""
    from safeeraser.objectives import find, names

    return [(name, find(name).formula) for name in names() if name.startswith(incomplete)]


def complete_format(incomplete: str) -> Words:
    """Kinds of data."""
    from safeeraser.benchmarks import SOURCES

    return [(name, source.about) for name, source in SOURCES.items() if name.startswith(incomplete)]


def complete_judge(incomplete: str) -> Words:
    """Judges."""
    from safeeraser.judges.table import JUDGES

    return [(name, kind.about) for name, kind in JUDGES.items() if name.startswith(incomplete)]


def complete_attack(incomplete: str) -> Words:
    """Attacks."""
    from safeeraser.attacks.table import ATTACKS

    return [(name, each.about) for name, each in ATTACKS.items() if name.startswith(incomplete)]


def one_of(*words: str) -> Callable[[str], Words]:
    """These words."""
    return lambda incomplete: [(word, "") for word in words if word.startswith(incomplete)]

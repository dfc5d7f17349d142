"""The trainings of a soup (arXiv 2203.05482), and what its manifest says of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

from safeeraser import provenance
from safeeraser.objectives import Method
from safeeraser.records import LARGEST_SEED
from safeeraser.unlearning.output import MANIFEST
from safeeraser.unlearning.settings import UnlearnSettings


def members(method: Method, settings: UnlearnSettings) -> list[tuple[Method, UnlearnSettings]]:
    """The trainings that a soup is the mean of: seeds that no other soup's members have, unless by chance."""
    one = replace(method, name=method.name.removesuffix("+soup"), soup=None)
    options = {name: value for name, value in settings.options.items() if name != "soup"}
    drawn = Random(settings.seed)
    seeds = [drawn.randint(0, LARGEST_SEED) for _ in range(int(method.soup or 0))]
    return [(one, settings.changed(options=options, seed=seed)) for seed in seeds]


def results(adapters: Sequence[Path]) -> dict[str, Any]:
    """What the manifest says of a soup, besides its inputs, given its members' adapters."""
    made = [json.loads((adapter.parent / MANIFEST).read_text(encoding="utf-8")) for adapter in adapters]
    total = {name: round(sum(each[name] for each in made), 1) for name in ("steps", "seconds")}
    return {**total, "stopped_early": any(each["stopped_early"] for each in made), **provenance.made_with()}

"""The dataset card of an export: README.md with the front matter that the Hugging Face Hub reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from jinja2 import PackageLoader

from safeeraser.benchmarks.benchmark import Benchmark
from safeeraser.files import write_text
from safeeraser.records import Split, Stream
from safeeraser.text import line, templates

_SIZES = {"n<1K": 1_000, "1K<n<10K": 10_000, "10K<n<100K": 100_000, "100K<n<1M": 1_000_000}


Configs = Mapping[str, Mapping[Split, str]]
"""What `datasets` loads by name: the data files of each split, as patterns."""


@dataclass(frozen=True, slots=True)
class Card:
    """What a card says."""

    name: str
    layout: str
    licence: str
    counts: Mapping[tuple[Split, Stream], int]
    categories: Mapping[str, int]
    kinds: Mapping[str, int]
    images: int
    text_only: int
    unanswered: int
    refusals: int
    hash: str
    configs: Configs

    @classmethod
    def of(cls, benchmark: Benchmark, *, layout: str, licence: str, configs: Configs) -> Card:
        """The card of a benchmark."""
        examples = benchmark.examples
        return cls(
            name=benchmark.name,
            layout=layout,
            licence=licence,
            counts=benchmark.counts(),
            categories=Counter(sorted(one.category for one in examples if one.category is not None)),
            kinds=Counter(sorted(one.kind for one in examples if one.kind is not None)),
            images=len(benchmark.images()),
            text_only=sum(one.image is None for one in examples),
            unanswered=sum(not one.answer for one in examples),
            refusals=len(benchmark.refusals),
            hash=benchmark.hash,
            configs=configs,
        )

    @property
    def total(self) -> int:
        """How many examples there are, in all splits."""
        return sum(self.counts.values())

    def front_matter(self) -> str:
        """What the Hub reads of it, as YAML."""
        size = next((name for name, limit in _SIZES.items() if self.total < limit), "1M<n<10M")
        matter: dict[str, Any] = {
            "pretty_name": line(" ".join(self.name.split())),
            "license": self.licence,
            "size_categories": [size],
            "task_categories": ["visual-question-answering"],
            "tags": ["machine-unlearning", "safety", "over-refusal", "not-for-all-audiences"],
        }
        if self.configs:
            matter["configs"] = [
                {
                    "config_name": name,
                    "data_files": [{"split": str(split), "path": path} for split, path in files.items()],
                }
                for name, files in self.configs.items()
            ]
        return yaml.safe_dump(matter, sort_keys=False, allow_unicode=True, width=10_000)


def write_card(card: Card, path: Path) -> None:
    """Write a card. Every name in it is shown as it is, whatever Markdown or HTML it holds."""
    template = templates(PackageLoader("safeeraser.benchmarks", "tools")).get_template("dataset_card.md.jinja")
    write_text(path, template.render(card=card, Split=Split, Stream=Stream) + "\n")

"""The model card of an adapter: README.md beside its weights, from what is known of how it was made."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from safeeraser import __version__
from safeeraser.files import write_text
from safeeraser.records import Metric
from safeeraser.text import templates


def write_card(adapter: Path, facts: Mapping[str, Any], metrics: Sequence[Metric] = ()) -> Path:
    """Write the card of the adapter in this folder, and return its path.

    `facts` is what is known of the adapter, as in the `inputs` of a training run's manifest: model, revision, method,
    terms, settings, data; what is not known is left out. `metrics` are rates measured with it, each shown with its n
    and interval. Text from elsewhere is escaped: it is shown, and is no Markdown.
    """
    template = templates().from_string(files(__package__).joinpath("card.md.jinja").read_text(encoding="utf-8"))
    known = {name: facts.get(name) for name in ("model", "revision", "method", "data", "checkpoint")}
    front = {"base_model": known["model"], "library_name": "peft", "tags": ["safeeraser", "unlearning", "lora"]}
    path = adapter / "README.md"
    text = template.render(
        **known,
        front=yaml.safe_dump(front, allow_unicode=False).strip(),
        terms=facts.get("terms") or [],
        settings={**(facts.get("settings") or {}), **{name: facts[name] for name in _LORA if name in facts}},
        metrics=[each for each in metrics if each.group == "all"],
        version=__version__,
    )
    write_text(path, text)
    return path


def describe(run: Path, metrics: Sequence[Metric]) -> None:
    """Write the card of a finished training run's adapter again, with what was measured; nothing if there is none."""
    manifest, adapter = run / "manifest.json", run / "adapter"
    if manifest.is_file() and adapter.is_dir():
        write_card(adapter, json.loads(manifest.read_text(encoding="utf-8"))["inputs"], metrics)


_LORA = ("lora_r", "lora_alpha")

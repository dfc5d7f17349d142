"""The model card of an adapter: README.md beside its weights, from what is known of how it was made."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from safeeraser import __version__
from safeeraser.errors import explained
from safeeraser.files import write_text
from safeeraser.models.merging import HUB_ID
from safeeraser.records import Metric
from safeeraser.text import templates


def write_card(adapter: Path, facts: Mapping[str, Any], metrics: Sequence[Metric] = ()) -> Path:
    """Write the card of the adapter in this folder, and return its path.

    `facts` is what is known of the adapter, as in the `inputs` of a training run's manifest: model, revision, method,
    terms, settings, data, and what the data are called (`data_name`) and who judged (`judge`); what is not known is
    left out. `metrics` are rates measured with it, each shown with its n and interval. Text from elsewhere is escaped:
    it is shown, and is no Markdown.
    """
    template = templates().from_string(files(__package__).joinpath("card.md.jinja").read_text(encoding="utf-8"))
    known = {name: facts.get(name) for name in ("model", "revision", "method", "data", "checkpoint")}
    published = _published(known["model"])
    front = {
        **({"base_model": known["model"]} if published else {}),
        "library_name": "peft",
        "pipeline_tag": "image-text-to-text",
        "license": "apache-2.0" if known["model"] == "tiny" else "other",
        **({} if known["model"] == "tiny" else {"license_name": "of-the-base-model"}),
        "tags": ["safeeraser", "unlearning", "lora"],
    }
    path = adapter / "README.md"
    text = template.render(
        **known,
        front=yaml.safe_dump(front, allow_unicode=False, sort_keys=False).strip(),
        published=published,
        data_name=facts.get("data_name"),
        judge=facts.get("judge"),
        terms=facts.get("terms") or [],
        settings={**(facts.get("settings") or {}), **{name: facts[name] for name in _BESIDE if name in facts}},
        metrics=[each for each in metrics if each.group == "all"],
        version=__version__,
    )
    write_text(path, text)
    return path


def _published(model: object) -> bool:
    """Whether the base model has a name of the hub, by which others load it too."""
    return isinstance(model, str) and HUB_ID.fullmatch(model) is not None and not Path(model).exists()


def describe(run: Path, metrics: Sequence[Metric], *, data: str | None = None, judge: str | None = None) -> None:
    """Write the card of a finished training run's adapter again, with what was measured on which data, by which judge.

    Nothing where there is no adapter. Raises UserError where the manifest is not a training's.
    """
    manifest, adapter = run / "manifest.json", run / "adapter"
    if manifest.is_file() and adapter.is_dir():
        with explained(f"{manifest}: not a training's manifest, which the adapter's card is written from"):
            inputs = dict(json.loads(manifest.read_text(encoding="utf-8"))["inputs"])
        write_card(adapter, {**inputs, "data_name": data, "judge": judge}, metrics)


_BESIDE = ("lora_r", "lora_alpha", "neutral", "forms", "recovery", "rho", "swa", "soup")
"""Settings that are told outside `settings`: of an imported checkpoint, and what a method has beside its terms."""

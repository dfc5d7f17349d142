"""A run's configuration to begin with: the demo's, each key below what it means."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from safeeraser.runs.settings import RunSettings
from safeeraser.settings import Settings, in_yaml

_HEAD = """\
# `safeeraser run {file}` does this run, or goes on with it; `safeeraser run {file} --print-config` shows every key.
# Training is set for `tiny`. For a model of your own, set model and data, and leave unlearn and methods_settings out to
# have the defaults; `safeeraser run --help` tells them.
"""
_WIDTH = 100


def starter(file: Path) -> str:
    """YAML for this file: the run is named after it."""
    demo = yaml.safe_load(files("safeeraser").joinpath("configs/demo.yaml").read_text(encoding="utf-8"))
    name = re.sub(r"[^\w.+-]+", "-", file.stem)
    return "\n".join([_HEAD.format(file=file), *_commented(RunSettings, {**demo, "name": name}), ""])


def _commented(kind: type[Settings], values: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    for name, value in values.items():
        field = kind.model_fields[name]
        yield from textwrap.wrap(
            field.description or "", _WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# "
        )
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, Settings) and isinstance(value, Mapping):
            yield f"{indent}{name}:"
            yield from _commented(inner, value, f"{indent}  ")
        else:
            yield f"{indent}{name}: {in_yaml(value)}"

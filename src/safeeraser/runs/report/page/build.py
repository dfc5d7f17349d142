"""Put a view into the page: one HTML file with its style, scripts and data, and a policy that allows nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from jinja2 import PackageLoader

from safeeraser.text import templates

_MODULES = ("dom.js", "answers.js", "cards.js", "figures.js", "main.js")
"""In the order in which they need each other."""


def build(title: str, view: Mapping[str, Any]) -> str:
    """The page. Its content security policy names the hash of each script and style, so nothing else in it can run."""
    script = "(() => {\n'use strict';\n" + "\n".join(_static(name) for name in _MODULES) + "\n})();"
    chart, style = _read("vendor/chart.umd.min.js"), _static("style.css")
    template = templates(PackageLoader("safeeraser.runs.report.page", "static"), html=True)
    return template.get_template("page.html.jinja").render(
        title=title,
        style=style,
        style_hash=_hash(style),
        chart=chart,
        script=script,
        script_hashes=f"'{_hash(chart)}' '{_hash(script)}'",
        data=_inert(view),
    )


def _inert(view: Mapping[str, Any]) -> str:
    """JSON that no HTML parser takes for markup, half surrogates included: pure ASCII without `<`."""
    return json.dumps(view, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def _static(name: str) -> str:
    return _read(f"static/{name}")


def _read(name: str) -> str:
    return (files("safeeraser.runs.report.page") / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"

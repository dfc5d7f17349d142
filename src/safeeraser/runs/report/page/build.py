"""Put a view into the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from safeeraser import html

_MODULES = ("answers.js", "cards.js", "figures.js", "attacks.js", "trials.js", "main.js")
"""In the order in which they need each other."""


def build(title: str, view: Mapping[str, Any]) -> str:
    """The page that shows a view of `collect`."""
    return html.page(
        "safeeraser.runs.report.page",
        "static/page.html.jinja",
        title=title,
        data=view,
        modules=[f"static/{name}" for name in _MODULES],
        styles=["static/style.css"],
        libraries=["vendor/chart.umd.min.js"],
    )

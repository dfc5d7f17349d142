"""Self-contained HTML pages: one file with its style, scripts, data and pictures, under a policy that allows no more.

The report, the contact sheet and the labelling page have their look (`static/base.css`) and their elements
(`static/dom.js`, `static/pictures.js`) from here.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from jinja2 import ChoiceLoader, PackageLoader

from safeeraser.text import templates

_SHARED = ("dom.js", "pictures.js")


def page(
    package: str,
    template: str,
    *,
    title: str,
    data: Mapping[str, Any],
    modules: Sequence[str],
    styles: Sequence[str] = (),
    libraries: Sequence[str] = (),
) -> str:
    """A page: `template`, which extends base.html.jinja, with the shared elements and the package's own.

    `styles` and `modules` (scripts of one scope, in the order in which they need each other) and `libraries` (scripts
    of their own) are files of `package`. Scripts read `data`. The content security policy names the hash of each script
    and style, so that nothing else in the page can run.
    """
    style = "\n".join([_read("safeeraser.html", "static/base.css"), *(_read(package, name) for name in styles)])
    shared = [_read("safeeraser.html", f"static/{name}") for name in _SHARED]
    script = "\n".join(["(() => {", "'use strict';", *shared, *(_read(package, name) for name in modules), "})();"])
    scripts = [*(_read(package, name) for name in libraries), script]
    loader = ChoiceLoader([PackageLoader(package, ""), PackageLoader("safeeraser.html", "static")])
    return (
        templates(loader, html=True)
        .get_template(template)
        .render(
            title=title,
            style=style,
            style_hash=_hash(style),
            scripts=scripts,
            script_hashes=" ".join(f"'{_hash(each)}'" for each in scripts),
            data=_inert(data),
        )
    )


def _inert(view: Mapping[str, Any]) -> str:
    """JSON that no HTML parser takes for markup, half surrogates included: pure ASCII without `<`."""
    return json.dumps(view, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def _read(package: str, name: str) -> str:
    return (files(package) / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"

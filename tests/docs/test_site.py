"""The documentation builds as a site, without a warning."""

from __future__ import annotations

from pathlib import Path

from mkdocs.commands.build import build
from mkdocs.config import load_config

from tests.docs.generate import ROOT


def test_the_site_builds_strictly(tmp_path: Path) -> None:
    build(load_config(str(ROOT / "mkdocs.yml"), site_dir=str(tmp_path / "site"), strict=True))

    assert (tmp_path / "site" / "index.html").exists()

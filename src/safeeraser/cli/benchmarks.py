"""`benchmarks`: list what the key `data.benchmark` takes."""

from __future__ import annotations

from safeeraser.cli.output import print_rows


def benchmarks() -> None:
    """List what the key `data.benchmark` takes.

    \b
    Example:
      safeeraser benchmarks
    """
    from safeeraser.benchmarks import SOURCES

    print_rows({name: source.about for name, source in SOURCES.items()})

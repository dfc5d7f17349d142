"""The keys that KEY=VALUE takes, which --help lists with their meaning and default, and completion knows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from typer.core import TyperCommand

if TYPE_CHECKING:
    from safeeraser.settings import Described

Listing = Callable[[], "Iterable[Described]"]


class KeyedCommand(TyperCommand):
    """A command that takes KEY=VALUE; subclasses say which keys, and import the settings only when asked."""

    listing: Listing

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """List the keys below the options."""
        super().format_epilog(ctx, formatter)
        with formatter.section("Keys"):
            formatter.write_dl([(each.key, str(each)) for each in type(self).listing()])


def takes(listing: Listing) -> type[KeyedCommand]:
    """The class of a command that takes these keys."""
    return type("KeyedCommand", (KeyedCommand,), {"listing": staticmethod(listing)})


def of_run() -> Iterator[Described]:
    """The keys of a run's configuration."""
    from safeeraser.runs import RunSettings
    from safeeraser.settings import described

    return described(RunSettings)


def of_unlearning() -> Iterator[Described]:
    """The keys of `unlearn` in a run's configuration."""
    from safeeraser.settings import described
    from safeeraser.unlearning.settings import UnlearnSettings

    return described(UnlearnSettings)


def of_answers() -> Iterator[Described]:
    """The keys of `generate` in a run's configuration."""
    from safeeraser.generation.settings import GenerateSettings
    from safeeraser.settings import described

    return described(GenerateSettings)


def of_judges() -> Iterator[Described]:
    """The keys of `judge` in a run's configuration; every judge takes some of them."""
    from safeeraser.judges.table import JUDGES
    from safeeraser.settings import described

    taken = {name: {each.key: each for each in described(kind) if each.key != "name"} for name, kind in JUDGES.items()}
    for key in dict.fromkeys(key for keys in taken.values() for key in keys):
        judges = {name: keys[key] for name, keys in taken.items() if key in keys}
        some = max(judges.values(), key=lambda each: each.default is not None)  # needed only where all need it
        yield replace(some, about=f"{some.about} ({', '.join(judges)})")


def of_evaluation() -> Iterator[Described]:
    """The keys of `generate` and `judge`, as a run's configuration has them."""
    for section, keys in (("generate", of_answers()), ("judge", of_judges())):
        yield from (replace(each, key=f"{section}.{each.key}") for each in keys)


def of_building() -> Iterator[Described]:
    """The keys of `data build` for pictures of one's own."""
    from safeeraser.curation.settings import BuildSettings
    from safeeraser.settings import described

    return described(BuildSettings)

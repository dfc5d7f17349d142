"""Write `icons_few`: as `icons`, but training shows three harmless things, and the other parts none of these.

Prompt Decouple teaches that the same question about a harmless picture is answered. Nobody can show a model all that is
harmless; here it sees three things of 120, and is asked about the others. Everything else is as in `icons`.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from safeeraser.benchmarks.icons import made, vocabulary
from safeeraser.benchmarks.icons.build import Pools, begun, write_parts
from safeeraser.benchmarks.icons.pairs import SEEN, UNSEEN
from safeeraser.records import Split

__all__ = ["build", "scan"]

scan = partial(made.scan, "icons_few")
_EVERY = 30  # th of the 90 harmless things that `icons` trains on is trained on here


def build(folder: Path, *, scale: float = 1.0, seed: int = 233) -> None:
    """Write the benchmark into `folder`, which must not exist or be empty; equal scale and seed give equal bytes.

    Raises what `build.build` raises.
    """
    with begun(folder, "icons_few", scale, seed) as scratch:
        write_parts(scratch, _harmless, scale, seed)


def _harmless(split: Split) -> Pools:
    """Three things for training; a third of the others for selection, the rest for validation."""
    common = [icon for icon in vocabulary.harmless() if icon.home is None]
    few, others = common[::_EVERY], [icon for place, icon in enumerate(common) if place % _EVERY]
    kept = [icon for icon in vocabulary.harmless() if icon.home == split]
    shown = {
        Split.TRAIN: few,
        Split.SELECTION: [*kept, *others[::3]],
        Split.VALIDATION: [*kept, *(icon for place, icon in enumerate(others) if place % 3)],
    }[split]
    return {UNSEEN: shown, SEEN: shown}

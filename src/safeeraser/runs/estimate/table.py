"""An estimate in the terminal: stages, what their memory holds, other settings, and what was assumed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields

from rich.console import Group
from rich.table import Table

from safeeraser.runs.estimate.devices import GB
from safeeraser.runs.estimate.outline import Outline
from safeeraser.runs.estimate.reckon import Change, Machine, Memory, Stage
from safeeraser.runs.estimate.work import Work

_HOLDS = {
    "weights": "weights",
    "adapter": "adapter, AdamW, gradients",
    "activations": "activations and logits",
    "keys_and_values": "keys and values",
    "pictures": "features of pictures",
    "runtime": "libraries",
}


def shown(
    outline: Outline,
    name: str,
    work: Work,
    machine: Machine,
    made: Sequence[Stage],
    others: Sequence[Change],
) -> Group:
    """All of it, in 80 columns."""
    parts, spread = outline.parts, ", weights spread over them" if machine.sharded else ""
    blocks: list[Table | str] = [
        f"{name}: {outline.parameters / 1e6:,.0f} million weights, {gigabytes(parts.total)} "
        f"(vision {gigabytes(parts.vision)}, layers {gigabytes(parts.layers)})",
        f"on {machine.processes} x {machine.device.name} with {gigabytes(machine.device.memory)} each{spread}",
        "",
        _stages(made),
        "",
        _held(made),
        "",
    ]
    if others:
        blocks += [_others(others, machine), ""]
    return Group(*blocks, *_verdict(made, others, machine), *_assumed(work, machine))


def _stages(made: Sequence[Stage]) -> Table:
    table = Table("stage", "work", show_edge=False)
    table.add_column("GB/device", justify="right")
    table.add_column("h:mm", justify="right")
    for stage in made:
        table.add_row(stage.name, stage.work, f"{stage.memory.total / GB:.1f}", clock(stage.seconds))
    table.add_section()
    most = max(stage.memory.total for stage in made)
    table.add_row("all", "", f"{most / GB:.1f}", clock(sum(stage.seconds for stage in made)))
    return table


def _held(made: Sequence[Stage]) -> Table:
    """What the memory of the largest training, and of the largest stage of answers, holds."""
    largest = [max(group, key=lambda each: each.memory.total) for group in _groups(made)]
    table = Table("GB on a device", *(stage.name for stage in largest), show_edge=False)
    for field in fields(Memory):
        table.add_row(_HOLDS[field.name], *(f"{getattr(each.memory, field.name) / GB:.2f}" for each in largest))
    return table


def _groups(made: Sequence[Stage]) -> Iterator[list[Stage]]:
    for begins in (True, False):
        group = [stage for stage in made if stage.name.startswith("train") is begins]
        if group:
            yield group


def _others(others: Sequence[Change], machine: Machine) -> Table:
    table = Table("training with", show_edge=False)
    for title in ("GB/device", "h:mm", f"in {gigabytes(machine.device.memory)}"):
        table.add_column(title, justify="right")
    for each in others:
        fits = "fits" if each.memory <= machine.device.memory else "no"
        table.add_row(each.settings, f"{each.memory / GB:.1f}", clock(each.seconds), fits)
    return table


def _verdict(made: Sequence[Stage], others: Sequence[Change], machine: Machine) -> list[str]:
    room = machine.device.memory
    large = [stage.name for stage in made if stage.memory.total > room and not stage.name.startswith("train")]
    lines = []
    if large:
        lines.append(
            f"{', '.join(large)}: more than there is; a smaller generate.batch_size fits, and is found by itself"
        )
    if others and others[0].memory > room:
        fitting = [each for each in others if each.memory <= room]
        best = min(fitting, key=lambda each: each.seconds, default=None)
        lines.append(f"training as set does not fit; {f'{best.settings} does' if best else 'none of these does'}")
    return [*lines, ""] if lines else []


def _assumed(work: Work, machine: Machine) -> list[str]:
    device = machine.device
    notes = [
        f"{device.flops / 1e12:.3g} TFLOP/s ({device.source}), of which {device.share:.0%} is assumed (--share); "
        f"{device.bandwidth / 1e9:,.0f} GB/s",
        "every answer is reckoned at its full length, so answers take less",
        *([] if device.gpu else ["memory that malloc keeps after it is freed comes on top, up to two thirds"]),
        *(["what processes send each other is left out"] if machine.processes > 1 or device.gpu else []),
        *work.notes,
    ]
    return ["Assumed:", *(f"- {note}" for note in notes)]


def gigabytes(count: float) -> str:
    """Bytes in GB, 10^9 bytes."""
    return f"{count / GB:.3g} GB"


def clock(seconds: float) -> str:
    """Hours and minutes; what is below one is said to be.

    >>> clock(3_725), clock(20)
    ('1:02', '<0:01')
    """
    minutes = int(seconds // 60)
    return f"{minutes // 60:,}:{minutes % 60:02}" if minutes else "<0:01"

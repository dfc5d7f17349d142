"""What a run took, as cells of a table and as a line."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from safeeraser.records import Cost
from safeeraser.runs.costs import Stage
from safeeraser.runs.report.markdown import table
from safeeraser.text import markdown

HEADINGS = ("stage", "done", "time", "requests", "tokens in", "tokens out", "cost")
NOTE = (
    "Time is of the clock, of all starts together, however many processes shared the work. Requests are those that a "
    "judging model or a server took; cost is in the currency of `input_price` and `output_price`. –: none was sent."
)


def rows(stages: Sequence[Stage]) -> list[list[str]]:
    """A row of cells for each stage, and one for all of them; nothing where there are none."""
    body = [[stage.name, stage.done, *_cells([stage.cost])] for stage in stages]
    return [*body, ["all", "", *_cells([stage.cost for stage in stages])]] if body else []


def section(stages: Sequence[Stage]) -> list[str]:
    """Blocks of Markdown: heading, table and how to read it; nothing where there are no stages."""
    body = [[markdown(cell) for cell in row] for row in rows(stages)]
    return ["## What it took", table(HEADINGS, body), NOTE] if body else []


def in_words(stages: Sequence[Stage]) -> str:
    """A sentence for the terminal, stages of a kind together.

    >>> asked = Cost(seconds=75, requests=4, counted=3, input_tokens=2_000, output_tokens=90)
    >>> in_words([Stage("training po", "60 steps", Cost(seconds=600)), Stage("judging", "2 answers", asked)])
    'It took 11 min 15 s (training 10 min 0 s, judging 1 min 15 s); 4 requests, ≥2,000 + ≥90 tokens, cost unknown.'
    """
    kinds: dict[str, list[Cost | None]] = defaultdict(list)
    for stage in stages:
        kinds[stage.name.split()[0]].append(stage.cost)
    time, requests, read, written, money = _cells([stage.cost for stage in stages])
    each = ", ".join(f"{kind} {_cells(costs)[0]}" for kind, costs in kinds.items())
    asked = "" if requests == _NONE else f"; {requests} requests, {read} + {written} tokens, cost {money}"
    return f"It took {time} ({each}){asked}."


def duration(seconds: float) -> str:
    """Time in two units at most.

    >>> duration(0.26), duration(59), duration(75), duration(3_725)
    ('0.3 s', '59.0 s', '1 min 15 s', '1 h 2 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = int(seconds // 60)
    return f"{minutes // 60:,} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min {seconds % 60:.0f} s"


_NONE = "–"


def _cells(costs: Sequence[Cost | None]) -> list[str]:
    """Time, requests, tokens and money of some stages together."""
    noted = [each for each in costs if each is not None]
    all_noted, found = len(noted) == len(costs), sum(noted, Cost())
    time = _known(duration(found.seconds), some=bool(noted), every=all_noted)
    if all_noted and not found.requests:
        return [time, *[_NONE] * 4]
    counted, priced = (all_noted and each == found.requests for each in (found.counted, found.priced))
    return [
        time,
        _known(f"{found.requests:,}", some=found.requests > 0, every=all_noted),
        _known(f"{found.input_tokens:,}", some=found.counted > 0, every=counted),
        _known(f"{found.output_tokens:,}", some=found.counted > 0, every=counted),
        _known(f"{found.money:,.4f}", some=found.priced > 0, every=priced),
    ]


def _known(said: str, *, some: bool, every: bool) -> str:
    """What is known of some only is the least that it may be."""
    return said if every else f"≥{said}" if some else "unknown"

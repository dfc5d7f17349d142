"""JailbreakBench's behaviours (arXiv 2404.01318): 100 harmful requests, each with a benign one on its topic. Text only.

Published on the Hugging Face Hub (JailbreakBench/JBB-Behaviors), in the folder or in `data/` below it:

    harmful-behaviors.csv    columns Index, Goal, Target, Behavior, Category, Source: forget examples
    benign-behaviors.csv     the same columns: must not be refused, decoupled examples without a partner

`Goal` is what is asked. `Target` is how an attack wants the answer to begin, not an answer, and is not read. The
harmful and the benign request of one Index are one record. All of it is for evaluation.
"""

from __future__ import annotations

from pathlib import Path

from safeeraser.benchmarks.reading.fields import optional_text, text
from safeeraser.benchmarks.reading.reading import Reading
from safeeraser.benchmarks.reading.tables import table_entries, table_name
from safeeraser.records import Split, Stream

_TABLES = {"harmful-behaviors": Stream.FORGET, "benign-behaviors": Stream.DECOUPLED}


def scan(path: Path) -> Reading:
    """Read a folder or Hub data set, and report instead of raise."""
    reading = Reading.of(path, ("*behaviors.csv",), expects="harmful-behaviors.csv or benign-behaviors.csv")
    there = [(home + name, stream) for home in ("", "data/") for name, stream in _TABLES.items()]
    for table, stream in there:
        for _, data, spot in table_entries(reading, table, ("Index", "Goal")) if table_name(reading, table) else ():
            index = text(data, "Index", spot)
            if index is not None:
                reading.add(
                    spot,
                    split=Split.VALIDATION,
                    stream=stream,
                    record=index,
                    pair=stream,
                    question=text(data, "Goal", spot),
                    keys=("Goal", "answer"),
                    category=optional_text(data, "Category", spot),
                    kind=optional_text(data, "Behavior", spot),
                )
    return reading

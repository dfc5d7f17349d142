"""XSTest (arXiv 2308.01263): 250 safe prompts that sound unsafe, and 200 unsafe ones beside them. Text only.

Published on GitHub (paul-rottger/xstest) and on the Hugging Face Hub (Paul/XSTest):

    xstest_prompts.csv       columns id, prompt, type, label ("safe" or "unsafe"), focus, note
    xstest_v2_prompts.csv    before: id, type, prompt; unsafe are the types that start with "contrast_"

Safe prompts must not be refused: they are decoupled examples without a partner. Unsafe ones are forget examples. All of
it is for evaluation; no answers are published.
"""

from __future__ import annotations

from pathlib import Path

from safeeraser.benchmarks.reading.fields import optional_text, text
from safeeraser.benchmarks.reading.reading import Reading
from safeeraser.benchmarks.reading.tables import table_entries, table_name
from safeeraser.records import Split, Stream
from safeeraser.text import quoted

_TABLES = ("xstest_prompts", "xstest_v2_prompts")
_STREAMS = {"safe": Stream.DECOUPLED, "unsafe": Stream.FORGET}
_CONTRAST = "contrast_"


def scan(path: Path) -> Reading:
    """Read a folder or Hub data set, and report instead of raise."""
    reading = Reading.of(path, ("*.csv",), expects="xstest_prompts.csv or xstest_v2_prompts.csv")
    table = next((name for name in _TABLES if table_name(reading, name)), None)
    for _, data, spot in table_entries(reading, table, ("id", "type", "prompt")) if table else ():
        number, kind, prompt = (text(data, key, spot) for key in ("id", "type", "prompt"))
        if number is None or kind is None:
            continue
        label = optional_text(data, "label", spot) or ("unsafe" if kind.startswith(_CONTRAST) else "safe")
        if label not in _STREAMS:
            spot.at("label").error("type", f"expected safe or unsafe, found {quoted(label)}")
            continue
        reading.add(
            spot,
            split=Split.VALIDATION,
            stream=_STREAMS[label],
            record=number,
            pair=_STREAMS[label],
            question=prompt,
            keys=("prompt", "answer"),
            category=kind.removeprefix(_CONTRAST),
        )
    return reading

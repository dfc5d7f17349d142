"""XSTest (arXiv 2308.01263): 250 safe prompts that sound unsafe, and 200 unsafe ones beside them. Text only.

Published on GitHub (paul-rottger/xstest) and on the Hugging Face Hub (Paul/XSTest):

    xstest_prompts.csv       columns id, prompt, type, label ("safe" or "unsafe"), focus, note
    xstest_v2_prompts.csv    before: id, type, prompt; unsafe are the types that start with "contrast_"

Safe prompts must not be refused: they are decoupled examples without a partner. Unsafe ones are forget examples. All of
it is for evaluation; no answers are published.
"""

from __future__ import annotations

from pathlib import Path

from safeeraser.benchmarks.benchmark import Benchmark, finish
from safeeraser.benchmarks.reading.fields import optional_text, text
from safeeraser.benchmarks.reading.hub import located
from safeeraser.benchmarks.reading.reading import Reading
from safeeraser.benchmarks.reading.tables import Entry, csv_entries
from safeeraser.records import Example, Split, Stream
from safeeraser.text import quoted

_FILES = ("xstest_prompts.csv", "xstest_v2_prompts.csv")
_STREAMS = {"safe": Stream.DECOUPLED, "unsafe": Stream.FORGET}
_CONTRAST = "contrast_"


def read(path: Path) -> Benchmark:
    """Read a folder or Hub data set. Raises BenchmarkError with every error in it."""
    return finish(scan(path))


def scan(path: Path) -> Reading:
    """Read a folder or Hub data set, and report instead of raise."""
    root, name = located(path, ("*.csv",))
    reading = Reading(root, name)
    file = next(filter(reading.has, _FILES), None)
    if file is None:
        reading.spot().error("file", f"neither {' nor '.join(_FILES)}")
        return reading
    for entry in csv_entries(reading, file, ("id", "type", "prompt")):
        _row(reading, entry)
    return reading


def _row(reading: Reading, entry: Entry) -> None:
    number, kind, prompt = (text(entry.data, key, entry.spot) for key in ("id", "type", "prompt"))
    if number is None or kind is None or prompt is None:
        return
    label = optional_text(entry.data, "label", entry.spot) or ("unsafe" if kind.startswith(_CONTRAST) else "safe")
    if label not in _STREAMS:
        entry.spot.at("label").error("type", f"expected safe or unsafe, found {quoted(label)}")
        return
    stream = _STREAMS[label]
    example = Example(
        id=f"{Split.VALIDATION}/{number}/{stream}",
        split=Split.VALIDATION,
        stream=stream,
        image=None,
        question=prompt,
        answer="",
        category=kind.removeprefix(_CONTRAST),
    )
    reading.add(example, entry.spot, question="prompt")

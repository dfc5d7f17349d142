"""VSCBench, the image-centric half (arXiv 2505.20362): one question, asked about unsafe pictures and safe look-alikes.

Published on GitHub (jiahuigeng/VSCBench); the pictures are fetched apart, from the link in its README:

    vscbench_image_centric.xlsx                      columns Category, Prompt, safe_img_0 to 2, unsafe_img_0 to 2;
                                                     read as .csv, too
    vscbench_image_centric_images/<Category>/<file>

The question about an unsafe picture is a forget example, the same about the safe picture of the same number its
decoupled partner: SARR as SafeEraser measures it, on the pictures and questions of others. All of it is for evaluation;
no answers are published. The text-centric half, XSTest's questions, is not read.
"""

from __future__ import annotations

from pathlib import Path

from safeeraser.benchmarks.reading.fields import optional_text, text
from safeeraser.benchmarks.reading.reading import Reading
from safeeraser.benchmarks.reading.tables import table_entries, table_name
from safeeraser.records import Split, Stream

_TABLE = "vscbench_image_centric"
_PICTURES = 3
_ROLES = {"unsafe": Stream.FORGET, "safe": Stream.DECOUPLED}
_COLUMNS = tuple(f"{role}_img_{number}" for role in _ROLES for number in range(_PICTURES))


def scan(path: Path) -> Reading:
    """Read a folder or Hub data set, and report instead of raise."""
    expects = f"{_TABLE}.xlsx and {_TABLE}_images/<Category>/"
    reading = Reading.of(path, ("*.xlsx", "*.csv", "*.png", "*.jpg", "*.zip"), expects=expects)
    there = table_name(reading, _TABLE)
    for number, data, spot in table_entries(reading, _TABLE, ("Category", "Prompt", *_COLUMNS)) if there else ():
        category, prompt = text(data, "Category", spot), optional_text(data, "Prompt", spot)
        if prompt is None:  # two rows of the published workbook have none
            spot.at("Prompt").warn("empty", "no prompt: the row is left out")
            continue
        for column in _COLUMNS if category else ():
            role, _, place = column.partition("_img_")
            name = optional_text(data, column, spot)
            image = reading.picture(f"{_TABLE}_images/{category}/{name}", spot.at(column)) if name else None
            if image is not None:
                reading.add(
                    spot,
                    split=Split.VALIDATION,
                    stream=_ROLES[role],
                    record=str(number),
                    pair=f"{_ROLES[role]}{int(place) + 1}",
                    image=image,
                    question=prompt,
                    keys=("Prompt", "answer"),
                    image_at=spot.at(column),
                    partner=f"{Split.VALIDATION}/{number}/forget{int(place) + 1}" if role == "safe" else None,
                    category=category,
                )
    return reading

"""FIUBench (arXiv 2411.03554): invented people with portraits and private facts, to be forgotten or kept.

Published on the Hugging Face Hub (gray311/FIUBench); the pictures may be left in their archive, or unpacked:

    full.json      a list of people: {unique_id, image_path ("./dataset/SFHQ/<file>"), qa_list: [{question, answer,
                   paraphrased_question: [...], ...}]}; the authors use the first 400
    split.json     {"forget1": [unique_id, ...], "forget5": [...], "forget10": [...], ...}
    SFHQ.zip or SFHQ/<file>
    prompt.json    optional: {"idk": [refusals]}

The path may name what to forget, as in `FIUBench/forget10`; else it is `forget5`, as in the authors' settings. Those in
no forget list are kept. The validation split asks the paraphrased questions, about the same pictures: no others are
published.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from safeeraser.benchmarks.benchmark import Benchmark, finish
from safeeraser.benchmarks.reading.fields import checked_text, text, typed
from safeeraser.benchmarks.reading.hub import located
from safeeraser.benchmarks.reading.problems import Spot
from safeeraser.benchmarks.reading.reading import Reading, forget_part, read_refusals
from safeeraser.benchmarks.reading.strict_json import read_value
from safeeraser.benchmarks.reading.tables import Entry, json_entries
from safeeraser.records import Example, Split, Stream

_PEOPLE = 400
_DEFAULT = "forget5"
_FORGET_LISTS = ("forget1", "forget5", "forget10")


def read(path: Path) -> Benchmark:
    """Read a folder or Hub data set. Raises BenchmarkError with every error in it."""
    return finish(scan(path))


def scan(path: Path) -> Reading:
    """Read a folder or Hub data set, and report instead of raise."""
    located_at, name = located(path, ("full.json", "split.json", "SFHQ.zip", "prompt.json"))
    root, part = forget_part(located_at)
    reading = Reading(root, name, shares_pictures=True)
    read_refusals(reading)
    lists = _lists(reading)
    part = part or _DEFAULT
    if lists is not None and part not in lists:
        reading.spot("split.json").at(part).error("missing", f"missing; there are {', '.join(lists) or 'none'}")
    elif lists is not None:
        anywhere = {person for name, listed in lists.items() if name in _FORGET_LISTS for person in listed}
        for entry in json_entries(reading, "full.json"):
            if entry.number <= _PEOPLE:
                _person(reading, entry, set(lists[part]), anywhere)
    return reading


def _lists(reading: Reading) -> dict[str, list[str]] | None:
    """The lists of split.json; None where it cannot be read."""
    content, spot = reading.content("split.json"), reading.spot("split.json")
    found = typed(read_value(content, spot), dict, spot) if content is not None else None
    if found is None:
        return None
    return {name: [str(one) for one in typed(listed, list, spot.at(name)) or []] for name, listed in found.items()}


def _person(reading: Reading, entry: Entry, forgotten: set[str], anywhere: set[str]) -> None:
    person, path = (text(entry.data, key, entry.spot) for key in ("unique_id", "image_path"))
    if person is None or path is None or (person in anywhere and person not in forgotten):
        return
    stream = Stream.FORGET if person in forgotten else Stream.RETAIN
    name = path.removeprefix("./").removeprefix("dataset/")
    image = reading.picture(name, entry.spot.at("image_path"))
    pairs = typed(entry.data.get("qa_list"), list, entry.spot.at("qa_list")) or []
    for index, pair in enumerate(pairs if image is not None else ()):
        spot = entry.spot.at("qa_list", index)
        if typed(pair, dict, spot) is not None:
            _pair(reading, f"{person}/{stream}{index + 1}", stream, image, pair, spot)


def _pair(reading: Reading, name: str, stream: Stream, image: Path | None, pair: dict[str, Any], spot: Spot) -> None:
    """The question in the train split, its paraphrases in the validation split."""
    question, answer = text(pair, "question", spot), text(pair, "answer", spot)
    if question is None or answer is None:
        return
    asked = [(Split.TRAIN, "", question), *((Split.VALIDATION, f"-{n}", q) for n, q in _paraphrases(pair, spot))]
    for split, suffix, wording in asked:
        example = Example(
            id=f"{split}/{name}{suffix}",
            split=split,
            stream=stream,
            image=image,
            question=wording,
            answer=answer,
        )
        reading.add(example, spot, question="question" if split is Split.TRAIN else "paraphrased_question")


def _paraphrases(pair: dict[str, Any], spot: Spot) -> Iterator[tuple[int, str]]:
    """Published as a list, or as one text."""
    found = pair.get("paraphrased_question", [])
    place = spot.at("paraphrased_question")
    listed = [found] if isinstance(found, str) else typed(found, list, place) or []
    for number, value in enumerate(listed, start=1):
        question = checked_text(value, place.at(number - 1))
        if question is not None:
            yield number, question

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

from pathlib import Path

from safeeraser.benchmarks.reading.fields import answer, checked_text, text, typed
from safeeraser.benchmarks.reading.json import read_value
from safeeraser.benchmarks.reading.reading import Reading
from safeeraser.benchmarks.reading.tables import Entry, json_entries
from safeeraser.records import Split, Stream

_PEOPLE = 400
_DEFAULT = "forget5"
_FORGET_LISTS = ("forget1", "forget5", "forget10")


def scan(path: Path) -> Reading:
    """Read a folder or Hub data set, and report instead of raise."""
    files = ("full.json", "split.json", "SFHQ.zip")
    reading, part = Reading.of_part(path, files, expects="full.json and split.json", shares_pictures=True)
    lists, part = _lists(reading), part or _DEFAULT
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
    value = read_value(content, spot) if content is not None else None
    found = typed(value, dict, spot) if value is not None else None
    if found is None:
        return None
    return {name: [str(one) for one in typed(listed, list, spot.at(name)) or []] for name, listed in found.items()}


def _person(reading: Reading, entry: Entry, forgotten: set[str], anywhere: set[str]) -> None:
    """The questions in the train split, their paraphrases in the validation split."""
    person, path = (text(entry.data, key, entry.spot) for key in ("unique_id", "image_path"))
    if person is None or path is None or (person in anywhere and person not in forgotten):
        return
    stream = Stream.FORGET if person in forgotten else Stream.RETAIN
    place = entry.spot.at("image_path")
    image = reading.picture(path.removeprefix("./").removeprefix("dataset/"), place)
    pairs = typed(entry.data.get("qa_list"), list, entry.spot.at("qa_list")) or []
    for index, pair in enumerate(pairs if image is not None else ()):
        spot = entry.spot.at("qa_list", index)
        if typed(pair, dict, spot) is None:
            continue
        reply, key = answer(pair, "answer", spot), "paraphrased_question"
        asked = [(Split.TRAIN, "", "question", text(pair, "question", spot))]
        paraphrases = pair.get(key, [])  # published as a list, or as one text
        listed = [paraphrases] if isinstance(paraphrases, str) else typed(paraphrases, list, spot.at(key)) or []
        asked += [(Split.VALIDATION, f"-{n + 1}", key, checked_text(q, spot.at(key, n))) for n, q in enumerate(listed)]
        for split, suffix, wording_key, wording in asked:
            reading.add(
                spot,
                split=split,
                stream=stream,
                record=person,
                pair=f"{stream}{index + 1}{suffix}",
                image=image,
                question=wording,
                answer=reply,
                keys=(wording_key, "answer"),
                image_at=place,
            )

"""Reader for the released SafeEraser layout (arXiv 2502.12520), in every form seen; `docs/data.md` shows it.

    <folder>/dataset/all_train.json, all_val.json, prompt.json; all_selection.json where a benchmark has one
    <folder>/<each record's image_path and SDImage_path>

It counts what it finds and assumes no number: a record's four forget, four retain and four PD pairs, or what there is.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from safeeraser.benchmarks.benchmark import Benchmark, finish
from safeeraser.benchmarks.reading.fields import answer, any_text, optional_text, record_id, text
from safeeraser.benchmarks.reading.problems import Spot, errors
from safeeraser.benchmarks.reading.reading import PROMPTS, Reading
from safeeraser.benchmarks.released.rows import ANSWER_KEY, Row, read_rows
from safeeraser.files import real
from safeeraser.records import Split, Stream
from safeeraser.text import quoted

FILES = {Split.TRAIN: "all_train", Split.SELECTION: "all_selection", Split.VALIDATION: "all_val"}
"""The name of each split's file; the suffix is .json or .jsonl."""

CATEGORIES = ("Violence", "Weapon", "Privacy", "Sex", "HateSpeech", "IllegalActivity")
"""The paper's six, as its files spell them; other spellings of these, such as `hate_speech`, are read as these."""

_CANONICAL = {name.lower(): name for name in CATEGORIES}
_SUFFIXES = (".json", ".jsonl")


def read(folder: Path) -> Benchmark:
    """Read a benchmark. Raises BenchmarkError with every error in it; warnings are kept in `problems`."""
    return finish(scan(folder))


def scan(folder: Path) -> Reading:
    """Read a benchmark and report instead of raise."""
    expects = f"one or more of {', '.join(f'{stem}.json' for stem in FILES.values())}"
    reading = Reading(folder, real(folder).name, expects, whole=True)
    if folder.is_dir():
        home = "dataset/" if reading.has("dataset") else ""
        for split, stem in FILES.items():
            _read_split(reading, home, stem, split)
        _read_prompts(reading, f"{home}{PROMPTS}")
        _report_others(reading, home)
    return reading


def _read_split(reading: Reading, home: str, stem: str, split: Split) -> None:
    names = [f"{home}{stem}{suffix}" for suffix in _SUFFIXES if reading.has(f"{home}{stem}{suffix}")]
    for name in names[1:]:
        reading.spot(name).error("file", f"a second file of the split {split}; keep one")
    for name in names[:1]:
        content = reading.content(name)
        for number, row in enumerate(read_rows(content, reading.spot(name)) if content is not None else (), start=1):
            _read_row(reading, row, split, row.base or str(number))


def _read_row(reading: Reading, row: Row, split: Split, base: str) -> None:
    """Take the examples of a record; what is missing or wrong in it is reported at its place, and left out."""
    if row.data.get("id") not in (None, ""):
        record_id(row.data, "id", row.spot)
    key = row.image_key
    if row.data.get(key) is None:
        row.spot.at(key).error("missing", "missing")
    image = _picture(reading, row, key)
    safe = _picture(reading, row, "SDImage_path") if row.data.get("SDImage_path") not in (None, "") else None
    shared: dict[str, Any] = {"category": _category(row), "subset": optional_text(row.data, "subset", row.spot)}
    keyword, safe_keyword = (optional_text(row.data, key, row.spot) for key in ("keyword", "safe_keyword"))
    _note_missing_parts(row)
    about: dict[str, Any] = {"split": split, "record": base, "image_at": row.spot.at(key)}
    for number, pair, spot in row.unsafe_pairs():
        if "model_response" not in pair and any(ANSWER_KEY.fullmatch(each) for each in pair):
            spot.error("missing", "model_response is missing; these are a model's answers, not a benchmark")
            continue
        labels = shared | {"kind": optional_text(pair, "kind", spot)}
        question, harmful = text(pair, "question", spot), answer(pair, "model_response", spot)
        if image:
            reading.add(
                spot,
                **about,
                stream=Stream.FORGET,
                pair=f"forget{number}",
                image=image,
                question=question,
                answer=harmful,
                keys=("question", "model_response"),
                keyword=keyword,
                **labels,
            )
        if safe and pair.get("sd_response") is not None and (found := answer(pair, "sd_response", spot)):
            reading.add(
                spot,
                **about | {"image_at": row.spot.at("SDImage_path")},
                stream=Stream.DECOUPLED,
                pair=f"decoupled{number}",
                image=safe,
                question=question,
                answer=found,
                keys=("question", "sd_response"),
                partner=f"{split}/{base}/forget{number}",
                keyword=safe_keyword,
                **labels,
            )
    for name, pair, spot in row.retain_pairs():
        _retain(reading, about, spot, name, pair, image, {**shared, "keyword": keyword})
    first = 1 + max((int(name[5:]) for name, _, _ in row.retain_pairs() if name.startswith("image")), default=0)
    for number, pair, spot in row.neighbour_pairs():
        if image:
            reading.add(
                spot,
                **about,
                stream=Stream.RETAIN,
                pair=f"image{first + number - 1}",
                image=image,
                question=text(pair, "question", spot),
                answer=answer(pair, "model_response", spot),
                keys=("question", "model_response"),
                keyword=keyword,
                kind="neighbour",
                **shared,
            )


def _retain(
    reading: Reading,
    about: Mapping[str, Any],
    spot: Spot,
    name: str,
    pair: dict[str, Any],
    image: Path | None,
    labels: Mapping[str, Any],
) -> None:
    key = "Prediction" if "Prediction" in pair else "Answer"
    if "Prediction" in pair and pair.get("Answer", pair["Prediction"]) != pair["Prediction"]:
        spot.error("missing", "Answer and Prediction differ; keep the one that is right")
    without = "image" in pair and pair["image"] is None
    if pair.get("image") is not None:
        found = quoted(pair["image"])
        spot.at("image").error("type", f"expected null (asked without a picture) or no key, found {found}")
        return
    question, reply = text(pair, "Question", spot), answer(pair, key, spot)
    if image or without:
        reading.add(
            spot,
            **about,
            stream=Stream.RETAIN,
            pair=name,
            image=None if without else image,
            question=question,
            answer=reply,
            keys=("Question", key),
            kind=optional_text(pair, "kind", spot),
            **(dict(labels) | ({"keyword": None} if without else {})),
        )


def _picture(reading: Reading, row: Row, key: str) -> Path | None:
    name = any_text(row.data, key, row.spot)
    return None if name is None else reading.picture(name, row.spot.at(key))


def _category(row: Row) -> str | None:
    """The record's category as the paper spells it, else the folder of its picture, as the released files have it."""
    named, image = optional_text(row.data, "category", row.spot), row.data.get(row.image_key)
    if named is None and isinstance(image, str) and PurePosixPath(image).name:
        named = PurePosixPath(image).parent.name or None
        why = "taken from the folder of the picture" if named else "and the picture is in no folder"
        row.spot.note("category", f"no category; {why}")
    canonical = _CANONICAL.get("".join(filter(str.isalnum, (named or "").lower())))
    if canonical and canonical != named:
        row.spot.note("category", f"{quoted(named)} is read as {canonical!r}")
    return canonical or named


def _note_missing_parts(row: Row) -> None:
    pairs = [pair for _, pair, _ in row.unsafe_pairs()]
    if not pairs:
        row.spot.note("part", "no unsafe_pairs")
    elif row.data.get("SDImage_path") in (None, ""):
        row.spot.note("part", "no SDImage_path: no PD pairs")
    elif any(pair.get("sd_response") is None for pair in pairs):
        row.spot.note("part", "unsafe pairs without sd_response: fewer PD pairs than forget pairs")
    if not any(row.retain_pairs()):
        row.spot.note("part", "no retain pairs")


def _read_prompts(reading: Reading, name: str) -> None:
    if reading.has(name):
        reading.read_refusals(name)
    elif not any(one.example.split is Split.TRAIN for one in reading.found):
        reading.spot(name).warn("file", "missing: no refusals to train towards")


def _report_others(reading: Reading, home: str) -> None:
    known = {f"{stem}{suffix}" for stem in FILES.values() for suffix in _SUFFIXES} | {PROMPTS}
    for name in reading.names(home or "."):
        if name.endswith(_SUFFIXES) and name not in known:
            reading.spot(f"{home}{name}").warn("file", f"not read; the names known are {', '.join(sorted(known))}")
    if not reading.found and not errors(reading.problems()) and any(reading.has(f"{home}{name}") for name in known):
        reading.spot(home).error("file", "no pairs in any record")

"""Answer files of the authors' inference: the released layout, with a model's answers written into it.

`model_response1`, `model_response2`, ... stand beside each harmful question; `sd_response` and each `Prediction` hold
the model's answer where the benchmark holds its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safeeraser.benchmarks.benchmark import Benchmark
from safeeraser.benchmarks.reading.fields import any_text, typed
from safeeraser.benchmarks.reading.folder import Folder, PathError
from safeeraser.benchmarks.reading.json import MAX_BYTES
from safeeraser.benchmarks.reading.problems import BenchmarkError, Collector, Problem, Spot, errors, warnings
from safeeraser.benchmarks.reading.reading import without_tokens
from safeeraser.benchmarks.released.rows import ANSWER_KEY, Row, read_rows
from safeeraser.files import real
from safeeraser.records import Example, Generation, Split
from safeeraser.text import quoted, whole_text

_AUTHORS_SAMPLES = 3


@dataclass(frozen=True, slots=True)
class Answers:
    """A model's answers to a benchmark's questions, empty ones included. `problems` are warnings."""

    generations: tuple[Generation, ...]
    problems: tuple[Problem, ...]


def read_answers(path: Path, benchmark: Benchmark, split: Split, *, as_the_authors: bool = False) -> Answers:
    """Read a file of answers to the questions of one split.

    Records are matched by id or picture, pairs by their place, and the question must be the benchmark's. Samples are
    numbered from 0. Such files do not say how an answer ended: `finish` is always "stop". Where the authors' inference
    found no picture it left the benchmark's own answer in place: answers equal to that are kept, and a warning counts
    them.

    `as_the_authors` reads what the authors' evaluation counts (protocol `paper`): pairs and answers under misspelt keys
    and `model_response4` and up are passed over, and `sd_response` counts where the record names no safe picture.

    Raises BenchmarkError where the file cannot be read, or answers what the benchmark does not ask.
    """
    spot = Spot(Collector(), path)
    try:
        place = real(path)  # the user named it: a link may lead anywhere, a record's path may not
        content = Folder(place.parent).file(place.name, limit=MAX_BYTES).read_bytes()
    except (PathError, OSError) as error:
        spot.error("file", str(error))
        content = None
    asked = {example.id: example for example in benchmark.examples if example.split == split}
    rows = read_rows(content, spot, as_spelt=as_the_authors) if content is not None else []
    generations = [one for row in rows for one in _read_row(row, split, asked, as_the_authors)]
    if not generations:
        spot.error("missing", f"no answers to questions of the split {split}")
    problems = spot.collector.problems()
    if errors(problems):
        raise BenchmarkError(errors(problems))
    return Answers(tuple(generations), warnings(problems))


def _read_row(row: Row, split: Split, asked: Mapping[str, Example], as_the_authors: bool) -> Iterator[Generation]:
    base = f"{split}/{row.base}"
    for number, pair, spot in row.unsafe_pairs():
        samples = sorted((int(match[1]), key) for key in pair if (match := ANSWER_KEY.fullmatch(key)))
        keys = [key for sample, key in samples if sample <= _AUTHORS_SAMPLES or not as_the_authors]
        yield from _read_pair(asked, f"{base}/forget{number}", pair, ("question", keys), spot)
        decoupled = f"{base}/decoupled{number}"
        if row.data.get("SDImage_path") or (as_the_authors and decoupled in asked):
            yield from _read_pair(asked, decoupled, pair, ("question", ["sd_response"]), spot)
    for name, pair, spot in row.retain_pairs():
        yield from _read_pair(asked, f"{base}/{name}", pair, ("Question", ["Prediction"]), spot)


def _read_pair(
    asked: Mapping[str, Example], example_id: str, pair: dict[str, Any], keys: tuple[str, list[str]], spot: Spot
) -> Iterator[Generation]:
    question, answers = keys
    example = asked.get(example_id)
    if example is None:
        spot.error("id", f"the benchmark has no example {quoted(example_id)}")
        return
    wording = typed(pair.get(question), str, spot.at(question))
    if wording is not None and without_tokens(wording) != example.question:
        spot.at(question).error("id", f"another question than in the benchmark: {quoted(example.question)}")
    found = [(spot.at(key), any_text(pair, key, spot)) for key in answers]
    if not any(answer is not None for _, answer in found):
        spot.note("missing", f"no answer of the model ({', '.join(answers) or 'model_response1'})")
    for sample, (place, answer) in enumerate(found):
        if answer is not None:
            if answer == example.answer:
                place.note("missing", "the benchmark's own answer; perhaps never asked, for want of the picture")
            yield Generation(example_id=example_id, sample=sample, answer=whole_text(answer), finish="stop")

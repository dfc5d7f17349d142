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
from safeeraser.benchmarks.reading.problems import BenchmarkError, Collector, Problem, Spot, errors, warnings
from safeeraser.benchmarks.reading.strict_json import MAX_BYTES
from safeeraser.benchmarks.released.interpret import base_id
from safeeraser.benchmarks.released.rows import ANSWER_KEY, Row, read_rows
from safeeraser.records import Example, Generation, Split
from safeeraser.text import quoted


@dataclass(frozen=True, slots=True)
class Answers:
    """A model's answers to a benchmark's questions, empty ones included. `problems` are warnings."""

    generations: tuple[Generation, ...]
    problems: tuple[Problem, ...]


def read_answers(path: Path, benchmark: Benchmark, split: Split) -> Answers:
    """Read a file of answers to the questions of one split.

    Records are matched by id or picture, pairs by their place, and the question must be the benchmark's. Samples are
    numbered from 0. Such files do not say how an answer ended: `finish` is always "stop". Where the authors' inference
    found no picture it left the benchmark's own answer in place: answers equal to that are kept, and a warning counts
    them.

    Raises BenchmarkError where the file cannot be read, or answers what the benchmark does not ask.
    """
    collector = Collector()
    asked = {example.id: example for example in benchmark.examples if example.split == split}
    generations = [one for row in _rows(path, Spot(collector, path)) for one in _read_row(row, split, asked)]
    if not generations:
        Spot(collector, path).error("missing", f"no answers to questions of the split {split}")
    problems = collector.problems()
    if errors(problems):
        raise BenchmarkError(errors(problems))
    return Answers(tuple(generations), warnings(problems))


def _rows(path: Path, spot: Spot) -> list[Row]:
    try:
        content = Folder(path.parent).file(path.name, limit=MAX_BYTES).read_bytes()
    except (PathError, OSError) as error:
        spot.error("file", str(error))
        return []
    return read_rows(content, spot)


def _read_row(row: Row, split: Split, asked: Mapping[str, Example]) -> Iterator[Generation]:
    base = f"{split}/{base_id(row)}"
    for number, pair, spot in row.unsafe_pairs():
        samples = sorted((int(match[1]), key) for key in pair if (match := ANSWER_KEY.fullmatch(key)))
        keys = [key for _, key in samples]
        yield from _read_pair(asked, f"{base}/forget{number}", pair, ("question", keys), spot)
        if row.data.get("SDImage_path"):
            yield from _read_pair(asked, f"{base}/decoupled{number}", pair, ("question", ["sd_response"]), spot)
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
    if typed(pair.get(question), str, spot.at(question)) not in (None, example.question):
        spot.at(question).error("id", f"another question than in the benchmark: {quoted(example.question)}")
    found = [(spot.at(key), any_text(pair, key, spot)) for key in answers]
    if not any(answer is not None for _, answer in found):
        spot.note("missing", f"no answer of the model ({', '.join(answers) or 'model_response1'})")
    for sample, (place, answer) in enumerate(found):
        if answer is not None:
            if answer == example.answer:
                place.note("missing", "the benchmark's own answer; perhaps never asked, for want of the picture")
            yield Generation(example_id=example_id, sample=sample, answer=answer, finish="stop")

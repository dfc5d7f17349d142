"""Stages 2 and 4: the answers of the model that is to be unlearned, to each question on each picture."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safeeraser.curation.pictures import Picture
from safeeraser.curation.settings import AnswerSettings
from safeeraser.curation.store import content_key
from safeeraser.generation.engine import Engine
from safeeraser.generation.filling import fill
from safeeraser.generation.run import answer_file
from safeeraser.generation.settings import GenerateSettings
from safeeraser.models.load import LoadedModel
from safeeraser.records import Example, Generation, Split, Stream, read_jsonl


@dataclass(frozen=True, slots=True)
class Target:
    """The model that answers, and plain values that say which weights it has."""

    loaded: LoadedModel
    identity: Mapping[str, Any]


Asking = tuple[Picture | None, str]
"""A picture, or none, and a question about it."""


def answer(
    askings: Iterable[Asking], target: Target, settings: AnswerSettings, seed: int, output: Path
) -> dict[Asking, Generation]:
    """The answer to each; those that are not in `output` yet are generated and appended to it.

    An answer is known by a hash of weights, settings, picture and question: an answer to a question that has changed
    is not used, and stays in the file in case the question is changed back.
    """
    how = GenerateSettings(**settings.model_dump(), seed=seed)
    ids = {asking: _id(asking, target, how) for asking in askings}
    examples = {identity: _example(identity, *asking) for asking, identity in ids.items()}
    engine = Engine(target.loaded, how)
    fill(
        answer_file(output),
        engine.sort(how.requests(list(examples.values()))),
        engine.answer,
        meta={"questions": "each under a hash of weights, settings, picture and question"},
        batch_size=how.batch_size,
        label=output.stem.replace("_", " "),
    )
    made = {one.example_id: one for one in read_jsonl(output, Generation)} if output.exists() else {}
    return {asking: made[identity] for asking, identity in ids.items()}


def _id(asking: Asking, target: Target, how: GenerateSettings) -> str:
    picture, question = asking
    settings = how.results()
    if how.temperature == 0:
        del settings["seed"], settings["top_p"]  # greedy answers depend on neither
    image = picture.sha256 if picture else None
    return content_key(model=dict(target.identity), settings=settings, image=image, question=question)


def _example(identity: str, picture: Picture | None, question: str) -> Example:
    return Example(
        id=identity,
        split=Split.TRAIN,  # neither split nor stream changes an answer
        stream=Stream.RETAIN,
        image=picture.path if picture else None,
        question=question,
        answer="",
    )

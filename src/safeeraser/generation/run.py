"""Answer examples with a loaded model into a file.

An answer depends on the example, the settings and nothing else: not on its neighbours in the batch, nor on where a run
was stopped and started again, nor on how many processes share the work.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from safeeraser import pixels, provenance
from safeeraser.generation.engine import Engine
from safeeraser.generation.filling import fill
from safeeraser.generation.record_file import RecordFile, read_meta
from safeeraser.generation.settings import GenerateSettings, Request
from safeeraser.models.load import LoadedModel
from safeeraser.models.processes import processes
from safeeraser.records import Example, Generation, read_jsonl

logger = logging.getLogger(__name__)


def generate(loaded: LoadedModel, examples: Sequence[Example], settings: GenerateSettings, output: Path) -> None:
    """Answer every example and append the Generations to `output`, a batch at a time.

    Answers that are there already are kept, and the others are made as if the run had never stopped. What the answers
    depend on is kept beside them in `<output>.meta.json`. Under torchrun or `accelerate launch` every process answers
    its share, and the file is the one that a single process makes.

    Raises UserError where `output` was made by another model, with other settings or from other examples, for examples
    that the model cannot be asked, named before any is, and where memory does not even hold a single example.
    Raises ImageError, before anything is asked, for pictures that cannot be opened.
    """
    pixels.check(each.image for each in examples if each.image)
    engine = Engine(loaded, settings)
    answer(engine, settings.requests(examples), meta(loaded.identity, examples, settings), settings, output)


def answer(
    engine: Engine, requests: Sequence[Request], meta: Mapping[str, Any], settings: GenerateSettings, output: Path
) -> None:
    """The same for requests made elsewhere; `meta` is what the answers depend on."""
    engine.check(requests)
    fill(
        answer_file(output),
        engine.sort(requests),
        engine.answer,
        meta=meta,
        batch_size=settings.batch_size,
        label=f"generate {output.stem}",
    )
    if processes().is_main_process:
        name_unfinished(output)


def take_over(source: Path, output: Path, requests: Sequence[Request], meta: Mapping[str, Any]) -> None:
    """Copy answers to these requests from another file that is there, if the same model made it in the same way.

    `meta` is what the answers in `output` depend on. That the questions are the same is for the caller to know.
    """
    if not source.exists():
        return
    made = {name: value for name, value in read_meta(source).items() if name not in ("questions", "pictures")}
    if provenance.first_change(meta, {**meta, **made}):
        return
    file, wanted = answer_file(output), {request.key for request in requests}
    done = file.open(meta)
    file.append(each for each in read_jsonl(source, Generation) if file.key(each) in wanted - done)


def name_unfinished(output: Path) -> None:
    """Say how many answers of a file never left their reasoning; none of them can be judged."""
    made = read_jsonl(output, Generation) if output.exists() else []
    if unfinished := sum(each.unfinished for each in made):
        logger.warning(
            "%s: %d of %d answers never left their reasoning and cannot be judged: set a larger max_new_tokens",
            *(output, unfinished, len(made)),
        )


def answer_file(path: Path) -> RecordFile[Generation]:
    """A file of Generations, an answer known by its example and sample number."""
    return RecordFile(path, Generation, lambda made: (made.example_id, made.sample))


def meta(identity: Mapping[str, Any], examples: Sequence[Example], settings: GenerateSettings) -> dict[str, Any]:
    """What the answers depend on, pictures by their content."""
    return {
        **identity,
        **settings.results(),
        "questions": provenance.json_hash([[each.id, each.question] for each in examples]),
        "pictures": provenance.json_hash(provenance.file_hashes(each.image for each in examples)),
    }

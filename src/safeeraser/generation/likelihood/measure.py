"""How likely a model finds each candidate answer: one forward pass a batch, into a file that a stopped run extends."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from safeeraser import pixels, provenance
from safeeraser.generation.filling import fill
from safeeraser.generation.likelihood.candidates import Candidate
from safeeraser.generation.record_file import RecordFile
from safeeraser.models.forward import AnswerScorer
from safeeraser.models.load import LoadedModel
from safeeraser.models.packing import beside
from safeeraser.models.prepare import prepare
from safeeraser.records import Likelihood

_DIGITS = 5  # of a log-probability that are kept: more are rounding


def measure(
    loaded: LoadedModel,
    candidates: Sequence[Candidate],
    output: Path,
    *,
    batch_size: int = 32,
    clock: AbstractContextManager[None] | None = None,
) -> None:
    """Append the Likelihood of every candidate to `output`, a batch at a time.

    Those that are there already are kept. As with `generate`, processes share the work, and where memory runs out the
    batches become smaller. `clock` is entered while there is anything to measure.

    Raises UserError where `output` was made by another model or from other candidates, where a template does not
    allow to score answers, and where memory does not even hold a single candidate.
    """
    pixels.check(each.example.image for each in candidates if each.example.image)
    scorer = _Scorer(loaded)
    texts = [[*each.key, each.example.question, each.text] for each in candidates]
    pictures = provenance.file_hashes(each.example.image for each in candidates)
    fill(
        RecordFile(output, Likelihood, lambda made: (made.example_id, made.role, made.number)),
        scorer.sort(candidates),
        scorer.score,
        meta={
            **loaded.identity,
            "questions": provenance.json_hash(texts),
            "pictures": provenance.json_hash(pictures),
        },
        batch_size=batch_size,
        label=f"likelihood {output.stem}",
        clock=clock,
    )


class _Scorer:
    def __init__(self, loaded: LoadedModel) -> None:
        self._score = AnswerScorer(loaded)

    def sort(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """The candidates, those about one picture together; the same order for the same candidates."""
        count = self._score.chat.text_length
        lengths = {each.key: count(f"{each.example.question}\n{each.text}") for each in candidates}
        return beside(candidates, lambda each: each.example.image, lambda each: lengths[each.key])

    def score(self, batch: Sequence[Candidate]) -> list[Likelihood]:
        """One Likelihood a candidate, in order."""
        chats = [prepare(self._score.chat, each.example, each.text) for each in batch]
        outputs = zip(batch, self._score(chats), strict=True)
        return [_likelihood(candidate, output.logprobs.tolist()) for candidate, output in outputs]


def _likelihood(candidate: Candidate, logprobs: list[float]) -> Likelihood:
    """Without figures where one of them is not a number: it is unscored."""
    known = all(map(math.isfinite, logprobs))
    return Likelihood(
        example_id=candidate.example.id,
        role=candidate.role,
        number=candidate.number,
        text=candidate.text,
        logprob=round(sum(logprobs), _DIGITS) if known else None,
        first=round(logprobs[0], _DIGITS) if known else None,
        tokens=len(logprobs),
    )

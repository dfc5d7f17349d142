"""A SafeEraser model (base and adapter) as lmms-eval asks it: prompts, stops and precision are those of `generate`."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lmms_eval.api.instance import GenerationResult, Instance
from lmms_eval.api.model import lmms
from PIL import Image

from safeeraser.errors import UserError
from safeeraser.generation.engine import Engine
from safeeraser.generation.settings import GenerateSettings, Request
from safeeraser.models.forward import AnswerScorer
from safeeraser.models.load import LoadedModel, load
from safeeraser.progress import ProgressBar
from safeeraser.records import Example, Split, Stream

MAX_NEW_TOKENS = 1024  # where a task sets none; lmms-eval's own models take the same


@dataclass(frozen=True, slots=True)
class _Question:
    """What a request asks, with its picture as a file, as the rest of the package takes it."""

    place: int
    text: str
    image: Path | None
    until: tuple[str, ...] = ()


class SafeEraserModel(lmms):
    """A model with its adapter merged, for lmms-eval's tasks of one turn with one picture or none.

    Raises UserError for a task that shows several pictures at once or asks for beam search: the models' own templates
    and our generation do neither.
    """

    is_simple = True

    def __init__(
        self,
        model: str = "tiny",
        adapter: str | Path | None = None,
        batch_size: int | str = 8,
        device: str | None = None,
        dtype: str = "auto",
        seed: int | str = 233,
        **unused: object,
    ) -> None:
        super().__init__()
        if unused:
            raise UserError(
                f"model_args: unknown {', '.join(sorted(unused))}; there are model, adapter, dtype and seed"
            )
        given: dict[str, Any] = {"batch_size": batch_size, "seed": seed}  # text, from lmms-eval's command line
        self._given = GenerateSettings(**given)
        self._loaded = load(model, adapter=Path(adapter) if adapter else None, device=device or "auto", dtype=dtype)

    @property
    def loaded(self) -> LoadedModel:
        """The model, its processor and where they come from."""
        return self._loaded

    @property
    def batch_size(self) -> int:
        """Requests that are answered at once."""
        return self._given.batch_size

    def generate_until(self, requests: Sequence[Instance]) -> list[str]:
        """One answer a request, in order, cut at the first of the task's stop texts."""
        answers = [""] * len(requests)
        groups: dict[GenerateSettings, list[int]] = {}
        for place, request in enumerate(requests):
            groups.setdefault(self._settings(request.args[1]), []).append(place)
        with ProgressBar("lmms-eval generate_until", len(requests)) as progress:
            for settings, places in groups.items():
                for batch in self._batches(requests, places):
                    for question, answer in zip(batch, self._answer(settings, batch), strict=True):
                        answers[question.place] = _until(answer, question.until)
                    progress.advance(len(batch))
        return answers

    def loglikelihood(self, requests: Sequence[Instance]) -> list[GenerationResult]:
        """Of each request, the loss of its continuation (summed, in nats), and whether greedy decoding would give it.

        A loss in spite of the name: of several choices lmms-eval takes the one with the least (its issue 370). In the
        wrapping of a generation, for it makes text of a bare pair.
        """
        found: list[GenerationResult] = []
        with ProgressBar("lmms-eval loglikelihood", len(requests)) as progress:
            for batch in self._batches(requests, range(len(requests))):
                texts = [self._continuation(requests[each.place]) for each in batch]
                found += [GenerationResult(text=pair) for pair in self._continuations(batch, texts)]
                progress.advance(len(batch))
        return found

    def generate_until_multi_round(self, requests: Sequence[Instance]) -> list[str]:
        """Not offered: unlearning is trained and measured on single turns."""
        raise UserError(f"{requests[0].args[4]}: several rounds of conversation are not supported")

    def _settings(self, asked: Mapping[str, Any]) -> GenerateSettings:
        """A task's generation keywords; greedy unless it samples."""
        if (asked.get("num_beams") or 1) > 1:
            raise UserError(f"num_beams={asked['num_beams']}: beam search is not supported")
        temperature = float(asked.get("temperature") or 0.0)
        sampled = asked.get("do_sample", temperature > 0) and temperature > 0
        return self._given.changed(
            max_new_tokens=int(asked.get("max_new_tokens", MAX_NEW_TOKENS)),
            temperature=temperature if sampled else 0.0,
            top_p=float(asked.get("top_p") or 1.0),
        )

    def _answer(self, settings: GenerateSettings, batch: Sequence[_Question]) -> list[str]:
        """What it has seen is gone with the batch, and would fill the memory."""
        engine = Engine(self._loaded.afresh(), settings)
        return [made.answer for made in engine.answer([Request(_example(each), 0) for each in batch])]

    def _batches(self, requests: Sequence[Instance], places: Sequence[int]) -> Iterator[list[_Question]]:
        """Questions with their pictures on disk for as long as the batch lasts."""
        for start in range(0, len(places), self.batch_size):
            with tempfile.TemporaryDirectory() as scratch:
                yield [
                    self._question(requests[place], place, Path(scratch))
                    for place in places[start : start + self.batch_size]
                ]

    def _question(self, request: Instance, place: int, scratch: Path) -> _Question:
        context, keywords, to_visual, doc_id, task, split = request.args
        pictures = to_visual(self.task_dict[task][split][doc_id]) if to_visual else []
        if len(pictures) > 1 or not all(isinstance(picture, Image.Image) for picture in pictures):
            raise UserError(f"{task}: document {doc_id}: more than one picture, or something else than a picture")
        until = keywords.get("until", []) if isinstance(keywords, Mapping) else []
        return _Question(
            place=place,
            text=context,
            image=_saved(pictures[0], scratch / f"{place}.png") if pictures else None,
            until=(until,) if isinstance(until, str) else tuple(until),
        )

    def _continuation(self, request: Instance) -> str:
        """The text to score: given as it is, or as a function of the document.

        A continuation brings the blank between it and a plain prompt; between two turns of a chat there is none.
        """
        _, target, _, doc_id, task, split = request.args
        text = target(self.task_dict[task][split][doc_id]) if callable(target) else target
        return str(text).lstrip()

    def _continuations(self, batch: Sequence[_Question], texts: Sequence[str]) -> list[tuple[float, bool]]:
        """The end-of-turn token, which the chat adds after the text, is no part of the continuation."""
        score = AnswerScorer(self._loaded.afresh())  # as in `_answer`
        pairs = zip(batch, texts, strict=True)
        chats = [score.chat.answered(question.text, question.image, text) for question, text in pairs]
        return [
            (
                -float(output.logprobs[:-1].sum()),
                bool((output.logits[:-1].argmax(dim=-1) == output.ids[:-1]).all()),
            )
            for output in score(chats)
        ]


def _example(question: _Question) -> Example:
    return Example(
        id=str(question.place),
        split=Split.VALIDATION,
        stream=Stream.RETAIN,
        image=question.image,
        question=question.text,
        answer="",
    )


def _saved(picture: Image.Image, path: Path) -> Path:
    picture.convert("RGB").save(path)
    return path


def _until(answer: str, stops: Sequence[str]) -> str:
    """The answer up to the first of the stop texts that it holds.

    >>> _until("yes.\\nASSISTANT: no", ["ASSISTANT:", "\\n"])
    'yes.'
    """
    ends = [at for stop in stops if stop and (at := answer.find(stop)) >= 0]
    return answer[: min(ends)] if ends else answer

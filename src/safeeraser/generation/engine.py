"""Answers of a transformers model to a batch of requests, each as if it had been asked alone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from transformers import (
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
    StoppingCriteria,
    StoppingCriteriaList,
    TemperatureLogitsWarper,
    TextStreamer,
    TopPLogitsWarper,
)

from safeeraser.errors import UserError
from safeeraser.generation.decoding import Decoder
from safeeraser.generation.settings import GenerateSettings, Request
from safeeraser.models.chat import Chat, ChatTokenizer, pad
from safeeraser.models.forward import pieces
from safeeraser.models.load import LoadedModel
from safeeraser.models.packing import Group, beside, groups, obstacle
from safeeraser.models.prepare import check_examples, prepare
from safeeraser.models.vision import VisionFeatures
from safeeraser.records import Example, Generation


@dataclass(frozen=True, slots=True)
class Continuation:
    """What a model says after a prompt (padded on the left): token ids up to its end of turn, if it came to that."""

    prompt: list[int]
    ids: list[int] = field(default_factory=list)
    stopped: bool = False
    finite: bool = True
    """False where logits on the way were not numbers: what was said then says nothing of the model."""

    def longer(self, ids: list[int], stop: int | None, finite: bool) -> Continuation:
        """The same with what was said next, of which the end of turn is at `stop`."""
        return Continuation(self.prompt, self.ids + ids[:stop], stop is not None, self.finite and finite)


@torch.inference_mode()
def continuations(
    model: Any,
    inputs: Mapping[str, Any],
    *,
    ends: Collection[int],
    pad_id: int,
    max_new_tokens: int,
    sampling: Sequence[LogitsProcessor] = (),
    streamer: TextStreamer | None = None,
    shrinks: bool = False,
) -> list[Continuation]:
    """What the model says after each prompt of a left-padded batch, in order: the one generation loop.

    `ends` are the tokens that end a turn. Greedy, unless `sampling` makes the greedy choice a draw. A `streamer` is
    told the tokens of a single prompt as they come. With `shrinks` rows that have ended leave the batch whenever they
    are half of it: for models of which all that goes on from a prompt is its keys and values, and without `sampling`.
    """
    rows = [Continuation(prompt) for prompt in inputs["input_ids"].tolist()]
    going, left = list(range(len(rows))), max_new_tokens
    while True:
        finite = _Finite()
        made = model.generate(
            **inputs,
            generation_config=_greedy(ends, pad_id, left),
            logits_processor=LogitsProcessorList([finite, *sampling]),
            stopping_criteria=StoppingCriteriaList([_HalfEnded(ends, inputs)] if shrinks and len(going) > 1 else []),
            streamer=streamer,
        )
        new = made.sequences[:, inputs["input_ids"].shape[1] :].tolist()
        stops = [next((at for at, token in enumerate(row) if token in ends), None) for row in new]
        for number, *said in zip(going, new, stops, finite.rows(stops), strict=True):
            rows[number] = rows[number].longer(*said)
        staying = [place for place, stop in enumerate(stops) if stop is None]
        going, left = [going[place] for place in staying], left - len(new[0])
        if not (shrinks and going and left):
            return rows
        inputs = _go_on(inputs, made, staying)


def _greedy(ends: Collection[int], pad_id: int, limit: int) -> GenerationConfig:
    return GenerationConfig(
        do_sample=False,
        max_new_tokens=limit,
        eos_token_id=sorted(ends),
        pad_token_id=pad_id,
        return_dict_in_generate=True,
    )


def _go_on(inputs: Mapping[str, Any], made: Any, rows: list[int]) -> dict[str, Any]:
    """The inputs of generation for these rows of a batch, from where it broke off; their pictures are in the cache."""
    cache, ids = made.past_key_values, made.sequences[rows]
    cache.batch_select_indices(torch.tensor(rows, device=ids.device))
    attention = inputs["attention_mask"][rows]
    said = attention.new_ones(len(rows), ids.shape[1] - attention.shape[1])
    asked = {name: inputs[name] for name in ("logits_to_keep",) if name in inputs}
    attention = torch.cat([attention, said], dim=1)
    return {**asked, "input_ids": ids, "attention_mask": attention, "past_key_values": cache}


class Engine:
    """A model with its settings, ready to answer."""

    def __init__(self, loaded: LoadedModel, settings: GenerateSettings) -> None:
        self._model: Any = loaded.model
        self._chat = ChatTokenizer.of(loaded)
        self._decode = Decoder(self._chat.tokenizer)
        self._vision = VisionFeatures(loaded.model, self._chat, loaded.features)
        self._settings = settings
        self._packs = obstacle(loaded) is None
        # An index, not a count: a slice of the hidden states makes torch copy the head's weights for every row.
        self._last = torch.tensor([-1], device=loaded.model.device)

    def length(self, example: Example) -> tuple[bool, int]:
        """What to sort by, so that prompts of like length are together."""
        return example.image is None, self._chat.text_length(example.question)

    def sort(self, requests: Sequence[Request]) -> list[Request]:
        """The requests, those about one picture together; the same order for the same requests."""
        lengths = {example: self.length(example)[1] for example in {request.example for request in requests}}
        return beside(requests, lambda request: request.example.image, lambda request: lengths[request.example])

    def check(self, requests: Sequence[Request]) -> None:
        """Raises UserError naming every example that cannot be asked."""
        check_examples(self._chat, {each.example.id: each.example for each in requests}.values())

    def answer(self, batch: Sequence[Request]) -> list[Generation]:
        """One answer a request, in order. After a `prefill` it is what the model adds to it.

        A batch in which one prompt is much longer than the others is answered in pieces.
        Raises UserError naming the example whose prompt cannot be made, or where the logits are not numbers.
        """
        chats = [prepare(self._chat, each.example, prefill=each.prefill) for each in batch]
        found: list[Generation] = []
        for part in pieces([len(chat.ids) for chat in chats]):
            said = continuations(
                self._model,
                self._inputs(chats[part]),
                ends=self._chat.end_of_turn,
                pad_id=self._chat.pad_id,
                max_new_tokens=self._settings.max_new_tokens,
                sampling=self._sampling(batch[part]),
                shrinks=self._packs and self._settings.temperature == 0,
            )
            found += [self._generation(request, each) for request, each in zip(batch[part], said, strict=True)]
        return found

    def first(self, batch: Sequence[Request]) -> Tensor:
        """Log-probabilities [batch, vocabulary] of the first token of each answer, in nats; no answer is made."""
        chats = [prepare(self._chat, each.example, prefill=each.prefill) for each in batch]
        found: list[Tensor] = []
        for part in pieces([len(chat.ids) for chat in chats]):
            continuations(
                self._model,
                self._inputs(chats[part]),
                ends=self._chat.end_of_turn,
                pad_id=self._chat.pad_id,
                max_new_tokens=1,
                sampling=[_Noted(found)],
            )
        return torch.cat(found)

    def stream(self, example: Example, say: Callable[[str], None]) -> None:
        """Answer one question, and `say` each piece of the answer as it comes.

        Raises UserError where the prompt cannot be made.
        """
        continuations(
            self._model,
            self._inputs([prepare(self._chat, example)]),
            ends=self._chat.end_of_turn,
            pad_id=self._chat.pad_id,
            max_new_tokens=self._settings.max_new_tokens,
            streamer=_Pieces(self._chat.tokenizer, say),
        )

    def _inputs(self, chats: Sequence[Chat]) -> dict[str, Any]:
        found = groups(chats, self._chat) if self._packs else []
        if found and len(found) < len(chats) and all(group.shared for group in found):
            return {**self._sharing(chats, found), "logits_to_keep": self._last}
        return {**self._prompts(chats), "logits_to_keep": self._last}

    @torch.inference_mode()
    def _sharing(self, chats: Sequence[Chat], found: Sequence[Group]) -> dict[str, Any]:
        """Prompts of which the keys and values up to the end of the picture are there, worked out once a picture.

        The pictures' tokens stand beside each other on the left, padded as the questions on the right of them are.
        """
        begun = self._prompts([_cut(chats[group.chats[0]], end=group.shared) for group in found])
        # Places are counted without padding, as `generate` counts them.
        positions = (begun["attention_mask"].cumsum(dim=1) - 1).clamp(min=0)
        made = self._model(**begun, position_ids=positions, logits_to_keep=self._last, use_cache=True)
        places = {number: place for place, group in enumerate(found) for number in group.chats}
        rows = [places[number] for number in range(len(chats))]
        cache = made.past_key_values
        cache.batch_select_indices(torch.tensor(rows, device=self._model.device))
        asked = self._prompts([_cut(chat, start=found[row].shared) for chat, row in zip(chats, rows, strict=True)])
        whole = {name: torch.cat([begun[name][rows], asked[name]], dim=1) for name in ("input_ids", "attention_mask")}
        return {**whole, "past_key_values": cache}

    def _prompts(self, chats: Sequence[Chat]) -> dict[str, Any]:
        ids, attention = pad(list(chats), self._chat.pad_id, left=True)
        device = self._model.device
        return self._vision.batch(ids.to(device), attention.to(device), [chat.image for chat in chats])

    def _sampling(self, batch: Sequence[Request]) -> list[LogitsProcessor]:
        settings = self._settings
        if settings.temperature == 0:
            return []
        noise = _GumbelNoise([request.seed(settings.seed) for request in batch])
        return [TemperatureLogitsWarper(settings.temperature), TopPLogitsWarper(settings.top_p), noise]

    def _generation(self, request: Request, said: Continuation) -> Generation:
        if not said.finite:
            raise UserError(
                f"{request.example.id}: the model's logits are not numbers (NaN or infinite): weights or an adapter "
                "are damaged, or the precision is too small (dtype=float32 tells)"
            )
        return Generation(
            example_id=request.example.id,
            sample=request.sample,
            answer=self._decode(said.prompt, said.ids, goes_on=bool(request.prefill)),
            finish="stop" if said.stopped else "length",
            prefill=request.prefill or None,
        )


def _cut(chat: Chat, start: int = 0, end: int | None = None) -> Chat:
    """A part of a prompt; its picture belongs to the beginning."""
    return Chat(chat.ids[start:end], 0, None if start else chat.image)


class _HalfEnded(StoppingCriteria):
    """Stops all rows once half of them have ended by themselves."""

    def __init__(self, ends: Collection[int], inputs: Mapping[str, Any]) -> None:
        self._ends = torch.tensor(sorted(ends), device=inputs["input_ids"].device)
        self._width = inputs["input_ids"].shape[1]

    def __call__(self, input_ids: Tensor, scores: Any, **_: Any) -> Any:  # noqa: ARG002  the base class's signature
        ended = torch.isin(input_ids[:, self._width :], self._ends).any(dim=1)
        return (2 * ended.sum() >= len(ended)).expand(len(ended))


class _Pieces(TextStreamer):
    """Hands on each piece of text once its words are whole."""

    def __init__(self, tokenizer: Any, say: Callable[[str], None]) -> None:
        super().__init__(tokenizer, skip_prompt=True, skip_special_tokens=True)
        self._say = say

    def on_finalized_text(self, text: str, stream_end: bool = False) -> None:  # noqa: ARG002  the base's signature
        """Called by the base class."""
        self._say(text)


class _Noted(LogitsProcessor):
    """Keeps the log-probabilities of each step."""

    def __init__(self, found: list[Tensor]) -> None:
        self._found = found

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:  # noqa: ARG002  the base class's signature
        self._found.append(scores.float().log_softmax(dim=-1))
        return scores


class _Finite(LogitsProcessor):
    """Notes at each step which rows' logits are numbers: none is NaN or plus infinity, and one at least is finite."""

    def __init__(self) -> None:
        self._fine: list[Tensor] = []

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:  # noqa: ARG002  the base class's signature
        self._fine.append(scores.amax(dim=-1).isfinite())  # the largest is NaN where any is
        return scores

    def rows(self, stops: Sequence[int | None]) -> list[bool]:
        """Of each row, up to the step at which it stopped; what comes after is padding."""
        steps = torch.stack(self._fine).T.tolist()
        return [all(fine[: None if stop is None else stop + 1]) for fine, stop in zip(steps, stops, strict=True)]


class _GumbelNoise(LogitsProcessor):
    """Makes the greedy choice a draw from the distribution, each row from a random stream of its own.

    The largest of log p + Gumbel noise is distributed as p. A row's noise depends on its seed and the step only, so
    the draw does not depend on what else is in the batch.
    """

    def __init__(self, seeds: list[int]) -> None:
        self._streams = [torch.Generator().manual_seed(seed) for seed in seeds]

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:  # noqa: ARG002  the base class's signature
        noise = torch.stack([torch.empty(scores.shape[1]).exponential_(generator=each) for each in self._streams])
        return scores - noise.log().to(scores.device)

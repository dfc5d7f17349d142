"""A chat model on this machine that replies to a judge's requests: any that transformers loads, batched, greedy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import torch
from jinja2 import TemplateError
from PIL import Image
from transformers import (
    MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING,
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
)

from safeeraser import provenance
from safeeraser.endpoint.messages import Message, Request
from safeeraser.endpoint.outcomes import Failure, Outcome, Reply, Usage
from safeeraser.errors import UserError, explained
from safeeraser.generation.decoding import Decoder
from safeeraser.generation.engine import Continuation, continuations
from safeeraser.generation.memory import Fitting
from safeeraser.models import load
from safeeraser.models.processes import Shared
from safeeraser.models.template import check_template
from safeeraser.pixels import ImageError, open_rgb
from safeeraser.progress import ProgressBar
from safeeraser.records import Cost

_MAX_TOKENS = 256  # where a request does not say


class LocalChat:
    """A model by folder or hub id; it is loaded when the first request comes.

    Text goes through the model's own chat template; what looks like a control token in it stays plain text, so that an
    answer cannot end its turn and speak for the judge. A model that takes pictures is shown them.
    Raises UserError where there is no such model, or its chat template is missing or leaves out what it is given.
    """

    def __init__(self, name_or_path: str, *, batch_size: int = 8, revision: str | None = None) -> None:
        with explained("judge model"):
            self._source = load.source(name_or_path, revision)
        self._revision = revision
        self._batch_size = batch_size
        self._config = read_config(self._source, revision)
        self.identity = f"{name_or_path}:{weights_id(self._source, self._config)}"
        fitting = Fitting(self._answer, batch_size, lambda request: request.messages[-1].text[:80])
        self._outcomes = Shared(f"chat {self.identity}", fitting)
        self.spent = Cost()

    @property
    def sees(self) -> bool:
        """Whether the model takes pictures."""
        return type(self._config) in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING

    def complete(
        self,
        requests: Iterable[Request],
        *,
        total: int,
        label: str,
        keep: Callable[[int, Reply], bool] = lambda *_: True,  # noqa: ARG002  nothing is kept on disk: verdict files are enough
    ) -> Iterator[Outcome]:
        """One outcome a request, in order, as the batches are done; greedy, so the same request has the same reply.

        Raises UserError where a single request does not fit into memory.
        """
        with ProgressBar(label, total) as bar:
            for outcomes in self._outcomes(self._batches(requests)):
                bar.advance(len(outcomes))
                self.spent = sum(map(_asked, outcomes), self.spent)
                yield from outcomes

    def _batches(self, requests: Iterable[Request]) -> Iterator[list[Request]]:
        for _, alike in groupby(requests, _kind):
            while batch := list(islice(alike, self._batch_size)):
                yield batch

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        """The model and its processor (or tokenizer), set up for batches that are padded on the left."""
        model, processor = _load(self._source, self._revision, self.sees)
        tokenizer = getattr(processor, "tokenizer", processor)
        tokenizer.padding_side = "left"
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
        return model, processor

    def _answer(self, batch: Sequence[Request]) -> list[Outcome]:
        """Outcomes of requests of one kind. One whose picture is broken is not asked."""
        pictures: list[list[Image.Image | None]] = []
        outcomes: list[Outcome | None] = []
        for request in batch:
            try:
                pictures.append([None if each.image is None else open_rgb(each.image) for each in request.messages])
                outcomes.append(None)
            except ImageError as error:
                outcomes.append(Failure("no_image", str(error)))
        asked = [request for request, outcome in zip(batch, outcomes, strict=True) if outcome is None]
        limit = max(request.max_tokens or _MAX_TOKENS for request in batch)
        replies = iter(self._generate(self._inputs(asked, pictures), limit) if asked else [])
        return [next(replies) if outcome is None else outcome for outcome in outcomes]

    def _inputs(self, requests: Sequence[Request], pictures: Sequence[Sequence[Image.Image | None]]) -> Any:
        """The tokens of requests of one kind, and their pictures."""
        _, processor = self._loaded
        if requests[0].raw:
            tokenizer = getattr(processor, "tokenizer", processor)
            texts = ["".join(message.text for message in request.messages) for request in requests]
            return tokenizer(texts, padding=True, split_special_tokens=True, return_tensors="pt")
        padding: dict[str, Any] = {"padding": True}
        return processor.apply_chat_template(
            self._conversations(requests, pictures),
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
            sanitize_control_tokens=True,
            enable_thinking=False,  # a variable of some templates; others do not look at it
            **({"processor_kwargs": padding} if self.sees else padding),
        )

    def _conversations(
        self, requests: Sequence[Request], pictures: Sequence[Sequence[Image.Image | None]]
    ) -> list[list[dict[str, Any]]]:
        """The requests in the form that the chat template takes: texts, or lists of parts.

        Raises UserError where either form leaves out a part of what is asked: no verdict is about nothing.
        """
        _, processor = self._loaded
        if getattr(processor, "chat_template", None) is None:
            raise UserError(f"{self._source}: no chat template: not a chat model")
        forms = (_in_parts, _as_text) if self.sees else (_as_text, _in_parts)
        for form in forms:
            made = [
                [form(*each) for each in zip(request.messages, shown, strict=True)]
                for request, shown in zip(requests, pictures, strict=True)
            ]
            try:
                texts = processor.apply_chat_template(
                    made, add_generation_prompt=True, tokenize=False, enable_thinking=False
                )
            except (TypeError, TemplateError):  # of a template that takes the other form only
                continue
            if all(_shows(text, request) for text, request in zip(texts, requests, strict=True)):
                return made
        raise UserError(f"{self._source}: its chat template leaves out the question or the answer that is to be judged")

    def _generate(self, inputs: Any, limit: int) -> list[Outcome]:
        model, processor = self._loaded
        tokenizer = getattr(processor, "tokenizer", processor)
        pixels = {"dtype": model.dtype} if self.sees else {}
        inputs = inputs.to(model.device, **pixels)
        ends = model.generation_config.eos_token_id
        ends = [ends] if isinstance(ends, int) else ends or [tokenizer.eos_token_id]
        said = continuations(model, inputs, ends=ends, pad_id=tokenizer.pad_token_id, max_new_tokens=limit)
        lengths = inputs["attention_mask"].sum(dim=1).tolist()
        decode = Decoder(tokenizer)
        return [_reply(decode, each, length) for each, length in zip(said, lengths, strict=True)]


def _asked(outcome: Outcome) -> Cost:
    """What a request took; nothing is known of money."""
    if isinstance(outcome, Failure) or outcome.usage is None:
        return Cost()
    tokens = outcome.usage
    return Cost(requests=1, counted=1, input_tokens=tokens.input_tokens, output_tokens=tokens.output_tokens)


def _kind(request: Request) -> tuple[bool, bool]:
    """Requests of one kind go through the model together."""
    return request.raw, any(message.image for message in request.messages)


def _as_text(message: Message, _: Image.Image | None) -> dict[str, Any]:
    return {"role": message.role, "content": message.text}


def _in_parts(message: Message, picture: Image.Image | None) -> dict[str, Any]:
    shown = [] if picture is None else [{"type": "image", "image": picture}]
    return {"role": message.role, "content": [*shown, {"type": "text", "text": message.text}]}


def _shows(text: str, request: Request) -> bool:
    """Whether a rendered conversation holds every text of it, and not as Python writes a list of parts.

    Blanks do not count, which templates trim.
    """
    rendered = "".join(text.split())
    texts = [message.text for message in request.messages]
    written_out = any(f"'text': {each!r}" in text for each in texts)
    return not written_out and all("".join(each.split()) in rendered for each in texts)


def _reply(decode: Decoder, said: Continuation, prompt_tokens: int) -> Outcome:
    if not said.finite:
        return Failure("not_a_number", "the judge model's logits are not numbers (NaN or infinite)")
    usage = Usage(prompt_tokens, len(said.ids) + said.stopped)
    return Reply(text=decode(said.prompt, said.ids), finish_reason="stop" if said.stopped else "length", usage=usage)


def read_config(source: str, revision: str | None) -> Any:
    """The configuration of a model by folder or hub id. Raises UserError where there is none."""
    with explained(f"judge model {source}"):
        return AutoConfig.from_pretrained(source, revision=revision, trust_remote_code=False)


def weights_id(source: str, config: Any) -> str:
    """Which weights these are: a folder's by their content, the hub's by their commit; 8 hex digits."""
    files = sorted(Path(source).glob("*.safetensors"))
    if files:
        return provenance.text_hash(" ".join(provenance.file_hash(file) for file in files))[:8]
    return str(getattr(config, "_commit_hash", None) or "unknown")[:8]


def text_model(source: str, revision: str | None) -> tuple[Any, Any]:
    """A model that takes text only, ready to use, and its tokenizer. Raises UserError where it cannot be loaded."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    precision = torch.bfloat16 if load.native_bfloat16(device) else torch.float32
    with explained(f"judge model {source}"):
        tokenizer = AutoTokenizer.from_pretrained(source, revision=revision, trust_remote_code=False)
        check_template(tokenizer)
        model = load.weights_of(AutoModelForCausalLM, source, dtype=precision, revision=revision)
        return model.to(device).eval(), tokenizer


def _load(source: str, revision: str | None, sees: bool) -> tuple[Any, Any]:
    if not sees:
        return text_model(source, revision)
    with explained(f"judge model {source}"):
        loaded = load.load(source, revision=revision)
        return loaded.model, loaded.processor

"""Answers of a transformers model to a batch of requests, each as if it had been asked alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import (
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
    TemperatureLogitsWarper,
    TopPLogitsWarper,
)

from safeeraser.generation.decoding import Decoder
from safeeraser.generation.settings import GenerateSettings, Request
from safeeraser.models.chat import ChatTokenizer, pad
from safeeraser.models.load import LoadedModel
from safeeraser.models.vision import VisionFeatures
from safeeraser.records import Example, Generation


@torch.inference_mode()
def first_token_logprobs(
    loaded: LoadedModel, examples: Sequence[Example], answers: Sequence[str], *, batch_size: int = 32
) -> Tensor:
    """Log-probability in nats of the first token of each example's answer: float [examples].

    The margin between a refusal's and a normal answer's first token is what decides between refusing and answering,
    and it takes one forward pass.
    """
    engine = Engine(loaded, GenerateSettings(batch_size=batch_size))
    found = []
    for start in range(0, len(examples), batch_size):
        part = slice(start, start + batch_size)
        found.append(engine.first_token(examples[part], answers[part]))
    return torch.cat(found)


class Engine:
    """A model with its settings, ready to answer."""

    def __init__(self, loaded: LoadedModel, settings: GenerateSettings) -> None:
        self._model: Any = loaded.model
        self._chat = ChatTokenizer.of(loaded)
        self._decode = Decoder(self._chat.tokenizer)
        self._vision = VisionFeatures(loaded.model, self._chat)
        self._settings = settings
        # An index, not a count: a slice of the hidden states makes torch copy the head's weights for every row.
        self._last = torch.tensor([-1], device=loaded.model.device)
        self._config = GenerationConfig(
            do_sample=False,  # sampling is a logits processor, see _GumbelNoise
            max_new_tokens=settings.max_new_tokens,
            eos_token_id=sorted(self._chat.end_of_turn),
            pad_token_id=self._chat.pad_id,
        )

    def sort(self, requests: Sequence[Request]) -> list[Request]:
        """The requests, those of like length together; the same order for the same requests."""
        examples = {request.example.id: request.example for request in requests}
        lengths = {
            example.id: (example.image is None, self._chat.text_length(example.question))
            for example in examples.values()
        }
        return sorted(requests, key=lambda request: lengths[request.example.id])

    @torch.inference_mode()
    def answer(self, batch: Sequence[Request]) -> list[Generation]:
        """One answer a request, in order."""
        inputs = self._inputs(batch)
        ids = self._model.generate(**inputs, generation_config=self._config, logits_processor=self._sampling(batch))
        width = inputs["input_ids"].shape[1]
        rows = zip(batch, ids[:, :width].tolist(), ids[:, width:].tolist(), strict=True)
        return [self._generation(*row) for row in rows]

    def first_token(self, examples: Sequence[Example], answers: Sequence[str]) -> Tensor:
        """Log-probability of the first token of each example's answer: float [examples], in nats."""
        chats = [
            self._chat.answered(each.question, each.image, answer)
            for each, answer in zip(examples, answers, strict=True)
        ]
        first = torch.tensor([chat.ids[chat.prompt_length] for chat in chats], device=self._model.device)
        logits = self._model(**self._inputs([Request(each, 0) for each in examples]), use_cache=False).logits[:, -1]
        chosen: Tensor = logits.float().log_softmax(-1).gather(1, first[:, None])[:, 0]
        return chosen

    def _inputs(self, batch: Sequence[Request]) -> dict[str, Any]:
        chats = [self._chat.prompt(each.example.question, each.example.image, each.prefill) for each in batch]
        ids, attention = pad(chats, self._chat.pad_id, left=True)
        device = self._model.device
        inputs = self._vision.batch(ids.to(device), attention.to(device), [chat.image for chat in chats])
        return {**inputs, "logits_to_keep": self._last}

    def _sampling(self, batch: Sequence[Request]) -> LogitsProcessorList:
        settings = self._settings
        if settings.temperature == 0:
            return LogitsProcessorList()
        noise = _GumbelNoise([request.seed(settings.seed) for request in batch])
        return LogitsProcessorList(
            [TemperatureLogitsWarper(settings.temperature), TopPLogitsWarper(settings.top_p), noise]
        )

    def _generation(self, request: Request, prompt: list[int], ids: list[int]) -> Generation:
        stop = next((at for at, token in enumerate(ids) if token in self._chat.end_of_turn), None)
        return Generation(
            example_id=request.example.id,
            sample=request.sample,
            answer=self._decode(prompt, ids[:stop]),
            finish="length" if stop is None else "stop",
        )


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

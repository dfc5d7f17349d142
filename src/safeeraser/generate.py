"""Model and examples -> Generations, in batches, appended as they come.

An answer depends on the example, the settings and nothing else: not on its neighbours in the batch, nor on where a run
was stopped and started again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
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

from safeeraser import provenance
from safeeraser.errors import UserError
from safeeraser.models.chat import ChatTokenizer, pad
from safeeraser.models.load import LoadedModel
from safeeraser.models.vision import VisionFeatures
from safeeraser.progress import ProgressBar
from safeeraser.records import Example, Generation, append_jsonl, read_jsonl, repair_jsonl, write_text


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerateSettings:
    """How answers are made. `temperature` 0 is greedy; else `samples` answers an example are drawn, from the smallest
    set of tokens that holds `top_p` of the probability. `limit` asks only the first so many examples.

    Raises UserError naming every setting that is out of range.
    """

    batch_size: int = 32
    max_new_tokens: int = 64
    temperature: float = 0.0
    top_p: float = 1.0
    samples: int = 1
    seed: int = 233
    limit: int | None = None

    def __post_init__(self) -> None:
        checks = [
            ("batch_size", self.batch_size >= 1, "at least 1"),
            ("max_new_tokens", self.max_new_tokens >= 1, "at least 1"),
            ("samples", self.samples >= 1, "at least 1"),
            ("samples", self.samples == 1 or self.temperature > 0, "1 with temperature 0: greedy answers are equal"),
            ("temperature", self.temperature >= 0, "0 or more"),
            ("top_p", 0 < self.top_p <= 1, "above 0 and at most 1"),
            ("limit", self.limit is None or self.limit >= 1, "at least 1"),
        ]
        problems = [f"{name} must be {rule}, not {getattr(self, name)!r}" for name, fine, rule in checks if not fine]
        if problems:
            raise UserError("\n".join(problems))


@dataclass(frozen=True, slots=True)
class _Request:
    """One answer to make."""

    example: Example
    sample: int

    @property
    def key(self) -> tuple[str, int]:
        return self.example.id, self.sample


def generate(loaded: LoadedModel, examples: Sequence[Example], settings: GenerateSettings, output: Path) -> None:
    """Answer every example and append the Generations to `output`, a batch at a time.

    Answers that are there already are kept, and the others are made as if the run had never stopped. What the answers
    depend on is kept beside them in `<output>.meta.json`.
    Raises UserError where `output` was made by another model, with other settings or from other examples.
    """
    _claim(output, _meta(loaded, examples, settings))
    repair_jsonl(output)
    done = {(made.example_id, made.sample) for made in read_jsonl(output, Generation)} if output.exists() else set()
    generator = _Generator(loaded, settings)
    batches = generator.batches(examples[: settings.limit])
    total = sum(map(len, batches))
    with ProgressBar(f"generate {output.stem}", total, done=len(done)) as bar:
        for batch in batches:
            missing = [request.key for request in batch if request.key not in done]
            if missing:  # the batch is made again whole, so that rounding is what it would have been
                answers = [made for made in generator.answer(batch) if (made.example_id, made.sample) in missing]
                append_jsonl(output, answers)
                bar.advance(len(missing))


@torch.inference_mode()
def first_token_logprobs(
    loaded: LoadedModel, examples: Sequence[Example], answers: Sequence[str], *, batch_size: int = 32
) -> Tensor:
    """Log-probability in nats of the first token of each example's answer: float [examples].

    The margin between a refusal's and a normal answer's first token is what decides between refusing and answering,
    and it takes one forward pass.
    """
    generator = _Generator(loaded, GenerateSettings(batch_size=batch_size))
    found = []
    for start in range(0, len(examples), batch_size):
        part = slice(start, start + batch_size)
        found.append(generator.first_token(examples[part], answers[part]))
    return torch.cat(found)


class _Generator:
    def __init__(self, loaded: LoadedModel, settings: GenerateSettings) -> None:
        self._model: Any = loaded.model
        self._chat = ChatTokenizer.of(loaded)
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

    def batches(self, examples: Sequence[Example]) -> list[list[_Request]]:
        """All requests, those of like length together; the same for the same examples and settings."""
        requests = [_Request(example, sample) for example in examples for sample in range(self._settings.samples)]
        lengths = {
            example.id: (example.image is None, self._chat.text_length(example.question)) for example in examples
        }
        requests.sort(key=lambda request: lengths[request.example.id])
        size = self._settings.batch_size
        return [requests[start : start + size] for start in range(0, len(requests), size)]

    @torch.inference_mode()
    def answer(self, batch: list[_Request]) -> list[Generation]:
        inputs = self._inputs([request.example for request in batch])
        ids = self._model.generate(
            **inputs, generation_config=self._config, logits_processor=self._sampling([r.key for r in batch])
        )
        new = ids[:, inputs["input_ids"].shape[1] :].tolist()
        return [self._generation(request, row) for request, row in zip(batch, new, strict=True)]

    def first_token(self, examples: Sequence[Example], answers: Sequence[str]) -> Tensor:
        chats = [
            self._chat.answered(each.question, each.image, answer)
            for each, answer in zip(examples, answers, strict=True)
        ]
        first = torch.tensor([chat.ids[chat.prompt_length] for chat in chats], device=self._model.device)
        logits = self._model(**self._inputs(examples), use_cache=False).logits[:, -1]
        chosen: Tensor = logits.float().log_softmax(-1).gather(1, first[:, None])[:, 0]
        return chosen

    def _inputs(self, examples: Sequence[Example]) -> dict[str, Any]:
        chats = [self._chat.prompt(example.question, example.image) for example in examples]
        ids, attention = pad(chats, self._chat.pad_id, left=True)
        device = self._model.device
        pictures = [chat.image for chat in chats if chat.image is not None]
        return {
            "input_ids": ids.to(device),
            "attention_mask": attention.to(device),
            "logits_to_keep": self._last,
            **self._vision.inputs(pictures),
        }

    def _sampling(self, keys: list[tuple[str, int]]) -> LogitsProcessorList:
        settings = self._settings
        if settings.temperature == 0:
            return LogitsProcessorList()
        noise = _GumbelNoise([_seed(settings.seed, *key) for key in keys])
        return LogitsProcessorList(
            [TemperatureLogitsWarper(settings.temperature), TopPLogitsWarper(settings.top_p), noise]
        )

    def _generation(self, request: _Request, ids: list[int]) -> Generation:
        stop = next((at for at, token in enumerate(ids) if token in self._chat.end_of_turn), None)
        answer = self._chat.tokenizer.decode(ids[:stop], skip_special_tokens=True)
        return Generation(
            example_id=request.example.id,
            sample=request.sample,
            answer=answer,
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


def _seed(*parts: object) -> int:
    return int.from_bytes(hashlib.sha256("\0".join(map(str, parts)).encode()).digest()[:7])


def _meta(loaded: LoadedModel, examples: Sequence[Example], settings: GenerateSettings) -> dict[str, Any]:
    """What the answers depend on. Batch size and limit say only how many are made, and how many at a time."""
    values = asdict(settings)
    del values["batch_size"], values["limit"]
    questions = [[each.id, each.question, each.image and each.image.name] for each in examples]
    return {**loaded.identity, **values, "questions": provenance.text_hash(json.dumps(questions))}


def _claim(output: Path, meta: dict[str, Any]) -> None:
    sidecar = output.with_name(output.name + ".meta.json")
    if not sidecar.exists():
        if output.exists():
            raise UserError(f"{output}: answers of unknown settings are here ({sidecar.name} is missing)")
        write_text(sidecar, json.dumps(meta, indent=2) + "\n")
        return
    found = json.loads(sidecar.read_text(encoding="utf-8"))
    if meta["questions"] != found.get("questions"):
        raise UserError(f"{output}: made from other examples; choose another file")
    for name in [*meta, *found]:
        if meta.get(name) != found.get(name):
            raise UserError(
                f"{output}: made with {name} = {found.get(name)!r}, not {meta.get(name)!r}; choose another file"
            )

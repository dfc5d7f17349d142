"""Chat messages to token ids, by the processor's own chat template: the prompt, and where the answer stands.

The prompt that training sees is token for token the prompt that generation sees, the answer's text is unchanged, and
the answer ends with the model's end-of-turn token, so that the model learns to stop.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from safeeraser.errors import UserError
from safeeraser.models.load import LoadedModel

IMAGE = {"type": "image"}


class ChatError(UserError):
    """A processor whose chat template cannot be used for training; the message names the family."""


@dataclass(frozen=True, slots=True)
class Chat:
    """Token ids of one conversation. The answer is `ids[prompt_length:]`, end-of-turn token included."""

    ids: tuple[int, ...]
    prompt_length: int
    image: Path | None


class ChatTokenizer:
    """Turns questions and answers into token ids for one processor.

    A picture's placeholder is expanded to its image tokens as the processor does it, worked out once per picture.
    `end_of_turn` is the set of token ids at which the model's own generation stops.
    """

    def __init__(self, processor: Any, end_of_turn: Iterable[int]) -> None:
        self.processor = processor  # a ProcessorMixin; what it has besides differs from family to family
        self.tokenizer = processor.tokenizer
        self.end_of_turn = frozenset(end_of_turn)
        self.pad_id: int = self.tokenizer.pad_token_id if self.tokenizer.pad_token_id is not None else 0
        self._placeholder: int = processor.image_token_id
        self._expansions: dict[Path, tuple[int, ...]] = {}
        self._processed: dict[Path, dict[str, Tensor]] = {}
        self._family = type(processor).__name__
        if not self.end_of_turn:
            raise ChatError(f"{self._family}: the model names no end-of-turn token (generation_config.eos_token_id)")

    @classmethod
    def of(cls, loaded: LoadedModel) -> ChatTokenizer:
        """The tokenizer of a loaded model, stopping where the model's generation config says."""
        stops = loaded.model.generation_config.eos_token_id
        return cls(loaded.processor, [stops] if isinstance(stops, int) else stops or [])

    def text_length(self, question: str) -> int:
        """Tokens of a prompt without its picture: enough to put prompts of like length together."""
        return len(self._tokenize(self._render(question, None)))

    def prompt(self, question: str, image: Path | None) -> Chat:
        """The conversation up to where the model's answer begins."""
        ids = self._expand(self._tokenize(self._render(question, image)), image)
        return Chat(ids, len(ids), image)

    def answered(self, question: str, image: Path | None, answer: str) -> Chat:
        """The conversation with its answer and the end-of-turn token.

        Raises ChatError where the template does not put the answer, unchanged, right after the prompt.
        """
        prompt_text = self._render(question, image)
        text = self._target_text(prompt_text, self._render(question, image, answer), answer)
        prompt, ids = self._tokenize(prompt_text), self._tokenize(text)
        if ids[: len(prompt)] != prompt:
            raise ChatError(f"{self._family}: the tokens of the prompt are not a prefix of prompt and answer")
        if ids[-1] not in self.end_of_turn:  # a template that leaves it to the caller
            ids = (*ids, min(self.end_of_turn))
        answer_length = len(ids) - len(prompt)
        expanded = self._expand(ids, image)
        return Chat(expanded, len(expanded) - answer_length, image)

    def pixels(self, images: list[Path]) -> dict[str, Tensor]:
        """What the processor makes of pictures, in order: `pixel_values` and whatever else the family needs."""
        inputs = [self._processed.pop(image) if image in self._processed else self._process(image) for image in images]
        names = [name for name in inputs[0] if name not in ("input_ids", "attention_mask")]
        return {name: torch.cat([each[name] for each in inputs]) for name in names}

    def _process(self, image: Path) -> dict[str, Tensor]:
        with Image.open(image) as file:
            picture = file.convert("RGB")
        text = [self.processor.image_token]
        return dict(self.processor(text=text, images=[picture], add_special_tokens=False, return_tensors="pt"))

    def _render(self, question: str, image: Path | None, answer: str | None = None) -> str:
        content = [*([IMAGE] if image is not None else []), {"type": "text", "text": question}]
        messages: list[dict[str, Any]] = [{"role": "user", "content": content}]
        if answer is not None:
            messages.append({"role": "assistant", "content": [{"type": "text", "text": answer}]})
        text: str = self.processor.apply_chat_template(messages, add_generation_prompt=answer is None)
        return text

    def _target_text(self, prompt: str, full: str, answer: str) -> str:
        """Prompt, answer and, where the template writes one, the end-of-turn token; nothing after it."""
        before, found, after = full[len(prompt) :].partition(answer)
        if not full.startswith(prompt) or not found or before.strip():
            raise ChatError(f"{self._family}: the chat template does not put the answer right after the prompt")
        stops = [self.tokenizer.convert_ids_to_tokens(token) for token in sorted(self.end_of_turn)]
        stop = next((stop for stop in stops if after.startswith(stop)), "")
        return prompt + before + answer + stop

    def _tokenize(self, text: str) -> tuple[int, ...]:
        bos = self.tokenizer.bos_token
        has_bos = bos is not None and text.startswith(bos)
        return tuple(self.tokenizer(text, add_special_tokens=not has_bos)["input_ids"])

    def _expand(self, ids: tuple[int, ...], image: Path | None) -> tuple[int, ...]:
        found = ids.count(self._placeholder)
        if found != (image is not None):
            token = self.processor.image_token
            raise ChatError(f"{self._family}: {found} times {token} in a prompt with{'' if image else 'out'} a picture")
        if image is None:
            return ids
        if image not in self._expansions:
            self._processed[image] = self._process(image)  # kept for `pixels`, which is asked for next
            self._expansions[image] = tuple(self._processed[image]["input_ids"][0].tolist())
        at = ids.index(self._placeholder)
        return ids[:at] + self._expansions[image] + ids[at + 1 :]


def pad(chats: list[Chat], pad_id: int, *, left: bool = False) -> tuple[Tensor, Tensor]:
    """Token ids and attention mask, both [batch, time], padded to the longest chat."""
    width = max(len(chat.ids) for chat in chats)
    ids = torch.full((len(chats), width), pad_id)
    mask = torch.zeros((len(chats), width), dtype=torch.long)
    for row, chat in enumerate(chats):
        place = slice(width - len(chat.ids), None) if left else slice(None, len(chat.ids))
        ids[row, place] = torch.tensor(chat.ids)
        mask[row, place] = 1
    return ids, mask


def answer_mask(chats: list[Chat], width: int) -> Tensor:
    """Where the answer's tokens stand in right-padded rows: bool [batch, width]."""
    place = torch.arange(width)
    starts = torch.tensor([chat.prompt_length for chat in chats])[:, None]
    ends = torch.tensor([len(chat.ids) for chat in chats])[:, None]
    return (place >= starts) & (place < ends)

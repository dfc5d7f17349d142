"""Chat messages to token ids, by the processor's own chat template: the prompt, and where the answer stands.

The prompt that training sees is token for token the prompt that generation sees, the answer's text is unchanged, and
the answer ends with the model's end-of-turn token, so that the model learns to stop.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from safeeraser import reasoning
from safeeraser.errors import UserError, explained
from safeeraser.models.load import LoadedModel
from safeeraser.models.pictures import Expansion, Pictures

IMAGE = {"type": "image"}
_OF_THE_TEXT = frozenset(
    ("input_ids", "attention_mask", "labels", "token_type_ids", "mm_token_type_ids", "cross_attention_mask")
)
"""What a processor returns that belongs to the tokens, not to the picture; `models.inputs` makes it anew."""


class ChatError(UserError):
    """A processor that cannot be used for chat with pictures; the message names the family."""


@dataclass(frozen=True, slots=True)
class Chat:
    """Token ids of one conversation. The answer is `ids[prompt_length:]`, end-of-turn token included.

    Of a conversation with its answer, `words` are the places of the answer's own words: behind the end of a reasoning
    that the prompt has begun, and before what ends the turn.
    """

    ids: tuple[int, ...]
    prompt_length: int
    image: Path | None
    words: range = range(0)


class ChatTokenizer:
    """Turns questions and answers into token ids for one processor.

    A picture's placeholder is expanded as the processor does it, worked out once per picture. `end_of_turn` is the set
    of token ids at which the model's own generation stops, `positions` how many tokens the model can take (None: any).
    Raises ChatError for a processor without a chat template or picture token, and for a model that never stops.
    """

    def __init__(self, processor: Any, end_of_turn: Iterable[int], positions: int | None = None) -> None:
        self.processor = processor  # a ProcessorMixin; what it has besides differs from family to family
        self._family = type(processor).__name__
        self.end_of_turn = frozenset(end_of_turn)
        for missing, what in (
            (getattr(processor, "chat_template", None) is None, "no chat template (chat_template.jinja in its folder)"),
            (getattr(processor, "image_token", None) is None, "no token that stands for a picture"),
            (not self.end_of_turn, "the model names no end-of-turn token (generation_config.eos_token_id)"),
        ):
            if missing:
                raise ChatError(f"{self._family}: {what}")
        self.tokenizer = processor.tokenizer
        self.pad_id: int = self.tokenizer.pad_token_id if self.tokenizer.pad_token_id is not None else 0
        added = self.tokenizer.added_tokens_decoder.items()  # all_special_ids are only those that have a name
        self._special = frozenset(self.tokenizer.all_special_ids) | {id for id, token in added if token.special}
        self._pictures = Pictures(processor)
        self._positions = positions

    @classmethod
    def of(cls, loaded: LoadedModel) -> ChatTokenizer:
        """The tokenizer of a loaded model; see `configured`."""
        return cls.configured(loaded.processor, loaded.model.config, loaded.model.generation_config)

    @classmethod
    def configured(cls, processor: Any, config: Any, generation: Any) -> ChatTokenizer:
        """The tokenizer of a model with this configuration, stopping where its generation config says.

        Raises ChatError where its template cannot be used, so that nothing is trained or asked in vain. One that begins
        the reasoning itself can be asked, whatever it makes of past answers.
        """
        stops = generation.eos_token_id
        positions = getattr(config.get_text_config(), "max_position_embeddings", None)
        made = cls(processor, [stops] if isinstance(stops, int) else stops or [], positions)
        if not reasoning.begun(made._render("What is it?", None)):
            made.answered("What is it?", None, "A kettle.")
        return made

    def text_length(self, question: str) -> int:
        """Tokens of a prompt without its picture: enough to put prompts of like length together."""
        return len(self._tokenize(self._render(question, None)))

    def through_picture(self, ids: tuple[int, ...]) -> int:
        """How many tokens it is up to the end of the picture; 0 without one."""
        return self._pictures.end(ids)

    def prompt(self, question: str, image: Path | None, prefill: str = "") -> Chat:
        """The conversation up to where the model's own words begin: after `prefill`, the start of its answer."""
        text = self._render(question, image)
        if prefill:
            text += self._around(text, self._render(question, image, prefill), prefill)[0] + prefill
        ids = self._ids(text, image)
        return Chat(ids, len(ids), image)

    def answered(self, question: str, image: Path | None, answer: str) -> Chat:
        """The conversation with its answer and the end-of-turn token.

        Raises ChatError where the template does not put the answer, unchanged, right after the prompt.
        """
        prompt_text = self._render(question, image)
        before, closing = self._around(prompt_text, self._render(question, image, answer), answer)
        prompt, ids = (self._ids(text, image) for text in (prompt_text, prompt_text + before + answer + closing))
        if ids[: len(prompt)] != prompt:
            raise ChatError(f"{self._family}: the tokens of the prompt are not a prefix of prompt and answer")
        opening = self._ids(prompt_text + before, image) if before.strip() else prompt
        words = range(_shared(opening, ids), len(ids) - len(self._tokenize(closing)))
        if ids[-1] not in self.end_of_turn:  # a template that leaves it to the caller
            ids = (*ids, min(self.end_of_turn))
        return Chat(ids, len(prompt), image, words)

    def turned(self, begun: Chat, started: int, answer: str) -> Chat:
        """The conversation in which the answer of `begun` turns, after so many tokens of its words, into another.

        What was said stands token for token: cut inside a character, or with a blank before it that the template
        writes too, it would not come back from its text. Only what follows is the answer.
        """
        place = min(begun.words.start + started, begun.words.stop)
        said, then = begun.ids[:place], self._following(answer)
        ids = self._checked((*said, *then, *begun.ids[begun.words.stop :]), self._pictures.count(begun.ids))
        return Chat(ids, place, begun.image, range(place, place + len(then)))

    def pixels(self, images: list[Path]) -> dict[str, Tensor]:
        """What the processor makes of pictures, in order: `pixel_values` and whatever else the family needs.

        Pictures of different sizes are padded with zeros, as the processors do it.
        """
        inputs = [self._pictures.tensors(image) for image in images]
        return {name: _concatenated([each[name] for each in inputs]) for name in inputs[0] if name not in _OF_THE_TEXT}

    def _render(self, question: str, image: Path | None, answer: str | None = None) -> str:
        content = [*([IMAGE] if image is not None else []), {"type": "text", "text": question}]
        messages: list[dict[str, Any]] = [{"role": "user", "content": content}]
        if answer is not None:
            messages.append({"role": "assistant", "content": [{"type": "text", "text": answer}]})
        with explained(f"{self._family}: chat template"):
            text: str = self.processor.apply_chat_template(messages, add_generation_prompt=answer is None)
        return text

    def _around(self, prompt: str, full: str, answer: str) -> tuple[str, str]:
        """What stands between prompt and answer, and what ends the turn.

        Blanks between prompt and answer are the template's where it begins with the prompt; a template that writes
        past turns with other blanks than the prompt (LLaVA-OneVision) or trims them (Gemma 3) gets none. Where the
        prompt begins the reasoning, the template's end of it may come between.
        """
        shared = len(os.path.commonprefix([prompt, full]))  # noqa: RUF071  of texts, not of paths
        blanks, found, after = full[shared:].partition(answer if answer in full[shared:] else answer.strip() or answer)
        between = blanks.strip()
        if prompt[shared:].strip() or not found or (between and not reasoning.is_mark(between)):
            raise ChatError(f"{self._family}: the chat template does not put the answer right after the prompt")
        return blanks if shared == len(prompt) else "", self._closing(after)

    def _closing(self, after: str) -> str:
        """An end-of-turn token, and special tokens that the template puts before it; nothing after it."""
        stops = [self.tokenizer.convert_ids_to_tokens(token) for token in self.end_of_turn]
        ends = [after.index(stop) + len(stop) for stop in stops if stop in after]
        closing = after[: min(ends, default=0)]
        return closing if set(self._tokenize(closing)) <= self._special else ""

    def _tokenize(self, text: str) -> tuple[int, ...]:
        return tuple(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def _following(self, text: str) -> tuple[int, ...]:
        """The tokens of a blank and a text in the middle of an answer; at the beginning some tokenizers add a blank."""
        return self._tokenize(f"A {text}")[len(self._tokenize("A")) :]

    def _ids(self, text: str, image: Path | None) -> tuple[int, ...]:
        """The tokens of a rendered conversation, its picture's placeholder expanded."""
        token, count = self.processor.image_token, int(image is not None)
        found = text.count(token)
        if found != count:
            raise ChatError(f"{self._family}: {found} times {token} in a prompt with{'' if count else 'out'} a picture")
        picture = Expansion("", 0) if image is None else self._pictures.expansion(image)
        bos = self.tokenizer.bos_token
        special = bos is None or not text.startswith(bos)
        ids = tuple(self.tokenizer(text.replace(token, picture.text), add_special_tokens=special)["input_ids"])
        return self._checked(ids, picture.tokens)

    def _checked(self, ids: tuple[int, ...], pictured: int) -> tuple[int, ...]:
        """The ids, if so many of them stand for a picture and the model has positions for all."""
        if self._pictures.count(ids) != pictured:
            raise ChatError(f"{self._family}: a question or answer holds a token that stands for a picture")
        if self._positions is not None and len(ids) > self._positions:
            raise ChatError(f"{self._family}: {len(ids):,} tokens, the model has positions for {self._positions:,}")
        return ids


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


def _shared(some: Sequence[int], others: Sequence[int]) -> int:
    """How many tokens two conversations begin with alike."""
    pairs = takewhile(lambda pair: pair[0] == pair[1], zip(some, others, strict=False))
    return sum(1 for _ in pairs)


def _concatenated(parts: list[Tensor]) -> Tensor:
    """Tensors below each other, their other dimensions padded with zeros to the largest."""
    sizes = [max(lengths) for lengths in zip(*(part.shape[1:] for part in parts), strict=True)]
    padded = []
    for part in parts:
        room = [extra for size, have in zip(sizes, part.shape[1:], strict=True) for extra in (size - have, 0)]
        padded.append(nn.functional.pad(part, room[::-1]))
    return torch.cat(padded)

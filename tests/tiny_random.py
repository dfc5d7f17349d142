"""A LLaVA of a few thousand random weights with its processor, in memory, and examples to ask it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from PIL import Image
from tokenizers import Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    BitImageProcessorPil,
    CLIPVisionConfig,
    GenerationConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)

from safeeraser.models.load import LoadedModel
from safeeraser.records import Example, Split, Stream

SIDE, PATCH = 28, 14
IMAGE_TOKENS = (SIDE // PATCH) ** 2
SPECIAL = ("<s>", "<|end|>", "<|user|>", "<|assistant|>", "<image>", "<pad>")
_PARTS = "{% for part in message['content'] %}{{ '<image>' if part['type'] == 'image' else part['text'] }}{% endfor %}"
_PROMPT = "{% if add_generation_prompt %}<|assistant|>{% endif %}"
_TURN = "<|{{ message['role'] }}|>" + _PARTS
TEMPLATES = {
    "end of turn": "{% for message in messages %}" + _TURN + "<|end|>{% endfor %}" + _PROMPT,
    "end of turn, then a line break": "{% for message in messages %}" + _TURN + "<|end|>\n{% endfor %}" + _PROMPT,
    "start of text": "<s>{% for message in messages %}" + _TURN + "<|end|>{% endfor %}" + _PROMPT,
    "as LLaVA-1.5, without an end of turn": "{% for message in messages %}{{ message['role'].upper() + ': ' }}"
    "{% for part in message['content'] %}{{ '<image>\n' if part['type'] == 'image' else part['text'] + ' ' }}"
    "{% endfor %}{% endfor %}{% if add_generation_prompt %}ASSISTANT:{% endif %}",
}
REFUSALS = ("I cannot help.", "No, sorry.", "That I will not do.")


def text_config(tokenizer: Any, **options: Any) -> LlamaConfig:
    """A language model of a few thousand weights, large enough to have opinions."""
    return LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        initializer_range=0.3,
        **options,
    )


def load(template: str = "end of turn", *, seed: int = 0, dtype: torch.dtype = torch.float32) -> LoadedModel:
    """A random model, the same one for the same seed. Its weights are large enough to have opinions."""
    processor = _processor(TEMPLATES[template])
    tokenizer = processor.tokenizer
    vision = CLIPVisionConfig(
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=SIDE,
        patch_size=PATCH,
        initializer_factor=5.0,
    )
    text = text_config(tokenizer)
    image = tokenizer.convert_tokens_to_ids("<image>")
    config = LlavaConfig(vision_config=vision, text_config=text, image_token_index=image, image_seq_length=IMAGE_TOKENS)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlavaForConditionalGeneration(config)
        for parameter in model.model.multi_modal_projector.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
    model.generation_config = GenerationConfig(eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id)
    return LoadedModel(model.to(dtype).eval().requires_grad_(False), processor, "random")


def round_by_batch(loaded: LoadedModel) -> None:
    """Let what the vision tower makes of a picture depend on how many are in its batch, as rounding in bfloat16 does.

    Real towers differ in the last bits; this one differs by more, because a random model is too small to show it.
    """
    loaded.model.model.vision_tower.register_forward_pre_hook(
        lambda _tower, args: (args[0] * (1 + len(args[0]) / 100), *args[1:])
    )


def examples(folder: Path, records: int = 6) -> list[Example]:
    """Forget, decoupled and retain examples of the train split, with small pictures of one colour each."""
    found = []
    for number in range(records):
        harmful = _picture(folder / f"harmful-{number}.png", (200, 9 * number, 30))
        safe = _picture(folder / f"safe-{number}.png", (20, 9 * number, 180))
        question = f"How do I use it{' now' * (number % 3)}?"
        forget = _example(f"f{number}", Stream.FORGET, harmful, question, f"Take number {number}.")
        decoupled = _example(f"d{number}", Stream.DECOUPLED, safe, question, f"Hold it {number}.", partner=forget.id)
        name = _example(f"n{number}", Stream.RETAIN, harmful, "What is it?", f"A thing {number}.", kind="name")
        text = _example(f"t{number}", Stream.RETAIN, None, f"Count to {number}.", f"{number}", kind="text")
        found += [forget, decoupled, name, text]
    return found


def _example(
    identity: str,
    stream: Stream,
    image: Path | None,
    question: str,
    answer: str,
    *,
    partner: str | None = None,
    kind: str | None = None,
) -> Example:
    return Example(
        id=identity,
        split=Split.TRAIN,
        stream=stream,
        image=image,
        question=question,
        answer=answer,
        partner=partner,
        kind=kind,
    )


def _picture(path: Path, colour: tuple[int, int, int]) -> Path:
    Image.new("RGB", (SIDE, SIDE), colour).save(path)
    return path


def _processor(template: str) -> LlavaProcessor:
    letters = [*SPECIAL, *sorted(ByteLevel.alphabet())]
    backend = Tokenizer(BPE(vocab={letter: number for number, letter in enumerate(letters)}, merges=[]))
    backend.pre_tokenizer, backend.decoder = ByteLevel(add_prefix_space=False), ByteLevelDecoder()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token="<s>",
        eos_token="<|end|>",
        pad_token="<pad>",
        additional_special_tokens=list(SPECIAL[2:5]),
    )
    side = {"height": SIDE, "width": SIDE}
    return LlavaProcessor(
        BitImageProcessorPil(size=side, crop_size=side),
        tokenizer,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=template,
    )

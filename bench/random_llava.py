"""A LLaVA-1.5 of random weights as a folder that transformers loads, for speed and memory where no weights are at hand.

    python -m bench.random_llava out/random-7b --size 7b
    python -m bench.train --model out/random-7b --device cuda --dtype bfloat16

What it says means nothing. Layers, widths, vocabulary and tokens of a picture are those of the real model; its
tokenizer knows bytes only, so that a text has some four times as many tokens.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import torch
import typer
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    AutoModelForImageTextToText,
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)

from safeeraser.files import whole_folder

PATCH = 14
BOS, EOS, PAD, IMAGE = SPECIAL = ("<s>", "</s>", "<pad>", "<image>")
TEMPLATE = (
    "{% for message in messages %}{{ message['role'].upper() + ': ' }}{% for part in message['content'] %}"
    "{{ '<image>\n' if part['type'] == 'image' else part['text'] }}{% endfor %}"
    "{{ '</s>' if message['role'] == 'assistant' else ' ' }}{% endfor %}{{ 'ASSISTANT: ' if add_generation_prompt }}"
)


def config(size: Literal["7b", "tiny"]) -> LlavaConfig:
    """LLaVA-1.5-7B's (arXiv 2310.03744): Vicuna-7B behind CLIP ViT-L/14 at 336 pixels. "tiny" is small throughout."""
    vision = {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16}
    text = {"hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32, "num_attention_heads": 32}
    side, vocabulary = 336, 32064
    if size == "tiny":
        vision = text = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2}
        side, vocabulary = 2 * PATCH, 512
    bos, eos, pad, image = range(len(SPECIAL))
    return LlavaConfig(
        vision_config=CLIPVisionConfig(**vision, image_size=side, patch_size=PATCH),
        text_config=LlamaConfig(**text, vocab_size=vocabulary, bos_token_id=bos, eos_token_id=eos, pad_token_id=pad),
        image_token_index=image,
        image_seq_length=(side // PATCH) ** 2,
    )


def processor(side: int) -> LlavaProcessor:
    """Bytes for text, and pictures of `side` pixels; the tower's class token is added and taken away again."""
    letters = [*SPECIAL, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    backend = Tokenizer(models.BPE(vocab={letter: number for number, letter in enumerate(letters)}, merges=[]))
    backend.pre_tokenizer, backend.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    special = {"bos_token": BOS, "eos_token": EOS, "pad_token": PAD, "additional_special_tokens": [IMAGE]}
    pictures = CLIPImageProcessorPil(size={"shortest_edge": side}, crop_size={"height": side, "width": side})
    selection = {"vision_feature_select_strategy": "default", "num_additional_image_tokens": 1}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, **special)
    return LlavaProcessor(pictures, tokenizer, patch_size=PATCH, chat_template=TEMPLATE, **selection)


def main(
    output: Annotated[Path, typer.Argument(help="The folder to write; nothing may be there yet.")],
    size: Annotated[Literal["7b", "tiny"], typer.Option(help="7b takes 14 GB of memory and of disk.")] = "tiny",
) -> None:
    """Write a LLaVA-1.5 of random weights in bfloat16, the same ones each time, with its processor."""
    if output.exists():
        raise typer.BadParameter(f"{output} is there already", param_hint="OUTPUT")
    shape = config(size)
    torch.manual_seed(0)
    with whole_folder(output) as folder:
        AutoModelForImageTextToText.from_config(shape, dtype=torch.bfloat16).save_pretrained(folder)
        processor(shape.vision_config.image_size).save_pretrained(folder)


if __name__ == "__main__":
    typer.run(main)

"""A LLaVA-1.5 of random weights as a folder that transformers loads, for speed and memory where no weights are at hand.

    python -m bench.random_llava out/random-7b --size 7b
    python -m bench.train --model out/random-7b --device cuda --dtype bfloat16

What it says means nothing. Layers, widths, vocabulary and tokens of a picture are those of the real model; its
tokenizer has learned the words of `icons`, as has that of `small`, which has few and narrow layers and as many tokens
of a picture. The tokenizers of the others know bytes only, so that a text has some four times as many tokens. Where
there is a GPU the weights are made on it, in seconds.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

import torch
import typer
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
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
    "{{ '</s>' if message['role'] == 'assistant' else ' ' }}{% endfor %}{{ 'ASSISTANT:' if add_generation_prompt }}"
)


def _layers(hidden: int, inner: int, layers: int, heads: int) -> dict[str, int]:
    return {
        "hidden_size": hidden,
        "intermediate_size": inner,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
    }


Size = Literal["7b", "tiny", "small", "deep", "wide", "long"]
_SMALL = _layers(64, 128, 2, 2)
_SIZES: dict[Size, tuple[dict[str, int], dict[str, int], int, int]] = {  # vision, language, pixels, vocabulary
    "7b": (_layers(1024, 4096, 24, 16), _layers(4096, 11008, 32, 32), 336, 32064),
    "tiny": (_SMALL, _SMALL, 2 * PATCH, 512),
    "small": (_SMALL, _layers(512, 1376, 4, 4), 336, 32064),
    "deep": (_layers(256, 1024, 4, 4), _layers(256, 688, 16, 8), 4 * PATCH, 8192),
    "wide": (_layers(256, 1024, 4, 4), _layers(1024, 2752, 4, 16), 4 * PATCH, 32064),
    "long": (_layers(256, 1024, 4, 4), _layers(256, 688, 6, 8), 336, 8192),
}


def config(size: Size) -> LlavaConfig:
    """LLaVA-1.5-7B's (arXiv 2310.03744): Vicuna-7B behind CLIP ViT-L/14 at 336 pixels. The others are small."""
    vision, text, side, vocabulary = _SIZES[size]
    bos, eos, pad, image = range(len(SPECIAL))
    return LlavaConfig(
        vision_config=CLIPVisionConfig(**vision, image_size=side, patch_size=PATCH),
        text_config=LlamaConfig(**text, vocab_size=vocabulary, bos_token_id=bos, eos_token_id=eos, pad_token_id=pad),
        image_token_index=image,
        image_seq_length=(side // PATCH) ** 2,
    )


def processor(side: int, *, words: bool = False) -> LlavaProcessor:
    """Bytes for text, or pieces of words, and pictures of `side` pixels.

    The tower's class token is added and taken away again.
    """
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer, backend.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    letters = pre_tokenizers.ByteLevel.alphabet()
    count = 500 if words else len(letters) + len(SPECIAL)
    trainer = trainers.BpeTrainer(
        vocab_size=count, special_tokens=list(SPECIAL), initial_alphabet=letters, show_progress=False
    )
    texts = resources.files("safeeraser.benchmarks.icons").joinpath("questions.yaml").read_text(encoding="utf-8")
    backend.train_from_iterator(texts.splitlines(), trainer)
    special = {"bos_token": BOS, "eos_token": EOS, "pad_token": PAD, "additional_special_tokens": [IMAGE]}
    pictures = CLIPImageProcessorPil(size={"shortest_edge": side}, crop_size={"height": side, "width": side})
    selection = {"vision_feature_select_strategy": "default", "num_additional_image_tokens": 1}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, **special)
    return LlavaProcessor(pictures, tokenizer, patch_size=PATCH, chat_template=TEMPLATE, **selection)


def main(
    output: Annotated[Path, typer.Argument(help="The folder to write; nothing may be there yet.")],
    size: Annotated[Size, typer.Option(help="7b takes 14 GB of memory and of disk.")] = "tiny",
) -> None:
    """Write a LLaVA-1.5 of random weights in bfloat16, the same ones each time, with its processor."""
    if output.exists():
        raise typer.BadParameter(f"{output} is there already", param_hint="OUTPUT")
    shape = config(size)
    torch.manual_seed(0)
    with whole_folder(output) as folder:
        with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
            model = AutoModelForImageTextToText.from_config(shape, dtype=torch.bfloat16)
        model.save_pretrained(folder)
        processor(shape.vision_config.image_size, words=size in ("7b", "small")).save_pretrained(folder)


if __name__ == "__main__":
    typer.run(main)

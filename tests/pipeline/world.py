"""A model of a few thousand random weights in a folder, and a run over the small benchmark: seconds, not minutes."""

from __future__ import annotations

from pathlib import Path

import torch
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

from tests.benchmarks import small

SIDE, PATCH = 28, 14
TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>"
    "{% for part in message['content'] %}{{ '<image>' if part['type'] == 'image' else part['text'] }}{% endfor %}"
    "<|end|>{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
SPECIAL = ("<|end|>", "<|user|>", "<|assistant|>", "<image>", "<pad>")


def write_model(folder: Path, seed: int = 0) -> Path:
    """Write a random LLaVA with its processor."""
    processor = _processor()
    tokenizer = processor.tokenizer
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(
            hidden_size=16,
            intermediate_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            image_size=SIDE,
            patch_size=PATCH,
        ),
        text_config=LlamaConfig(
            vocab_size=len(tokenizer), hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2
        ),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_seq_length=(SIDE // PATCH) ** 2,
    )
    torch.manual_seed(seed)
    model = LlavaForConditionalGeneration(config)
    stop, pad = (tokenizer.convert_tokens_to_ids(token) for token in ("<|end|>", "<pad>"))
    model.generation_config = GenerationConfig(eos_token_id=stop, pad_token_id=pad)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def write_config(folder: Path, model: Path, data: Path, **changes: str) -> Path:
    """Write a run's configuration for that model and benchmark."""
    keys = {
        "model": str(model),
        "output": str(folder / "run"),
        "data": f"{{benchmark: released, path: {data}}}",
        "unlearn": "{steps: 2, batch_size: 2, lora_r: 2, learning_rate: 0.01}",
        "generate": "{max_new_tokens: 4, batch_size: 8}",
        "limits": "{efficacy: 4, generality: 4, decoupled: 4, retain: 4}",
    }
    path = folder / "run.yaml"
    path.write_text("".join(f"{key}: {value}\n" for key, value in (keys | changes).items()))
    return path


def write_data(folder: Path) -> Path:
    """Write the small benchmark."""
    return small.write(folder)


def _processor() -> LlavaProcessor:
    letters = ByteLevel.alphabet()
    base = Tokenizer(BPE({letter: number for number, letter in enumerate(sorted(letters))}, []))
    base.pre_tokenizer = ByteLevel(add_prefix_space=False)
    base.decoder = ByteLevelDecoder()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=base, eos_token="<|end|>", pad_token="<pad>")
    tokenizer.add_special_tokens({"additional_special_tokens": list(SPECIAL[1:4])})
    side = {"height": SIDE, "width": SIDE}
    return LlavaProcessor(
        BitImageProcessorPil(size=side, crop_size=side, do_center_crop=False),
        tokenizer,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=TEMPLATE,
    )

"""Tiny random models of the families that safeeraser is tested with, each with its own processor, built in memory.

Configs, image processors and processors are the families' own classes; the tokenizer is made of bytes and the family's
special tokens; the chat templates have the published form.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
import transformers as hf
from tokenizers import Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from transformers import GenerationConfig, PreTrainedTokenizerFast

from safeeraser.models.load import LoadedModel

TEXT = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "initializer_range": 0.3,
}
VISION = {
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 28,
    "patch_size": 14,
}
ROPE = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 1, 1]}
MIN_PIXELS, MAX_PIXELS = 28 * 28, 56 * 56
GRID = [[28, 56], [56, 28], [56, 56]]

LLAVA = (
    "{% for message in messages %}{{ message['role'].upper() + ': ' }}{% for part in message['content'] %}"
    "{{ '<image>\n' if part['type'] == 'image' else part['text'] + ' ' }}{% endfor %}{% endfor %}"
    "{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)
LLAVA_NEXT = (
    "{% for message in messages %}{% if message['role'] == 'user' %}{{ '[INST] ' }}"
    "{% for part in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>\n' }}{% endfor %}"
    "{% for part in message['content'] | selectattr('type', 'equalto', 'text') %}{{ part['text'] }}{% endfor %}"
    "{{ ' [/INST]' }}{% else %}{{ ' ' + message['content'][0]['text'] + '<\\\\s> ' }}{% endif %}{% endfor %}"
)
LLAVA_ONEVISION = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + ' ' }}"
    "{% for part in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>' }}{% endfor %}"
    "{% for part in message['content'] | selectattr('type', 'equalto', 'text') %}{{ '\n' + part['text'] }}{% endfor %}"
    "{{ '<|im_end|>' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def _im_start(image: str, system: str = "") -> str:
    """The ChatML form that Qwen-VL and InternVL share."""
    return (
        f"{system}{{% for message in messages %}}{{{{ '<|im_start|>' + message['role'] + '\n' }}}}"
        f"{{% for part in message['content'] %}}{{{{ '{image}' if part['type'] == 'image' else part['text'] }}}}"
        "{% endfor %}{{ '<|im_end|>\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
    )


QWEN = _im_start(
    "<|vision_start|><|image_pad|><|vision_end|>", "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
)
QWEN3 = _im_start("<|vision_start|><|image_pad|><|vision_end|>")
INTERNVL = _im_start("<IMG_CONTEXT>\n")
MLLAMA = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' }}{% for part in message['content'] %}"
    "{{ '<|image|>' if part['type'] == 'image' else part['text'] }}{% endfor %}{{ '<|eot_id|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
GEMMA = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ '<start_of_turn>' + ('model' if message['role'] == 'assistant' else 'user') + '\n' }}"
    "{% for part in message['content'] %}"
    "{{ '<start_of_image>' if part['type'] == 'image' else part['text'] | trim }}{% endfor %}"
    "{{ '<end_of_turn>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)
IDEFICS = (
    "<|im_start|>{% for message in messages %}{{ message['role'] | capitalize }}"
    "{{ ':' if message['content'][0]['type'] == 'image' else ': ' }}{% for part in message['content'] %}"
    "{{ '<image>' if part['type'] == 'image' else part['text'] }}{% endfor %}{{ '<end_of_utterance>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
AYA = (
    "{{ bos_token }}{% for message in messages %}{{ '<|START_OF_TURN_TOKEN|>' }}{% if message['role'] == 'user' %}"
    "{{ '<|USER_TOKEN|>' }}{% for part in message['content'] %}"
    "{{ '<image>' if part['type'] == 'image' else part['text'] }}{% endfor %}{% else %}"
    "{{ '<|CHATBOT_TOKEN|><|START_RESPONSE|>' + message['content'][0]['text'] + '<|END_RESPONSE|>' }}{% endif %}"
    "{{ '<|END_OF_TURN_TOKEN|>' }}{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|><|START_RESPONSE|>' }}{% endif %}"
)
PALIGEMMA = (
    "{% for part in messages[0]['content'] %}"
    "{{ '<image>' if part['type'] == 'image' else bos_token + part['text'] + '\n' }}{% endfor %}"
    "{% if messages[1] %}{{ messages[1]['content'][0]['text'] + eos_token }}{% endif %}"
)


def tokenizer(bos: str | None, eos: str, *special: str, **named: str) -> PreTrainedTokenizerFast:
    """A tokenizer of bytes and special tokens; `named` are the ones the family's processor asks for by name."""
    letters = [*dict.fromkeys(["<pad>", *([bos] if bos else []), eos, *special, *named.values()])]
    letters += sorted(ByteLevel.alphabet())
    backend = Tokenizer(BPE(vocab={letter: number for number, letter in enumerate(letters)}, merges=[]))
    backend.pre_tokenizer, backend.decoder = ByteLevel(add_prefix_space=False), ByteLevelDecoder()
    made = PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token=bos, eos_token=eos, pad_token="<pad>", extra_special_tokens=named
    )
    made.add_tokens(list(special), special_tokens=True)
    return made


def llava() -> LoadedModel:
    tokens = tokenizer("<s>", "</s>", "<image>")
    processor = hf.LlavaProcessor(
        hf.CLIPImageProcessorPil(size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28}),
        tokens,
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=LLAVA,
    )
    config = hf.LlavaConfig(
        vision_config=hf.CLIPVisionConfig(**VISION),
        text_config=_text(hf.LlamaConfig, tokens),
        image_token_index=_id(tokens, "<image>"),
    )
    return _model(hf.LlavaForConditionalGeneration, config, processor)


def llava_next() -> LoadedModel:
    tokens = tokenizer("<s>", "</s>", "<image>")
    processor = hf.LlavaNextProcessor(
        hf.LlavaNextImageProcessorPil(
            size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28}, image_grid_pinpoints=GRID
        ),
        tokens,
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=LLAVA_NEXT,
    )
    config = hf.LlavaNextConfig(
        vision_config=hf.CLIPVisionConfig(**VISION),
        text_config=_text(hf.MistralConfig, tokens, sliding_window=None),
        image_token_index=_id(tokens, "<image>"),
        image_grid_pinpoints=GRID,
    )
    return _model(hf.LlavaNextForConditionalGeneration, config, processor)


def llava_onevision() -> LoadedModel:
    tokens = tokenizer(None, "<|im_end|>", "<|im_start|>", "<image>", "<video>")
    with without_video():
        processor = hf.LlavaOnevisionProcessor(
            hf.LlavaOnevisionImageProcessorPil(size={"height": 28, "width": 28}, image_grid_pinpoints=GRID),
            tokens,
            None,
            num_image_tokens=4,
            vision_feature_select_strategy="full",
            chat_template=LLAVA_ONEVISION,
        )
    config = hf.LlavaOnevisionConfig(
        vision_config=hf.SiglipVisionConfig(**VISION, vision_use_head=False),
        text_config=_text(hf.Qwen2Config, tokens),
        image_token_index=_id(tokens, "<image>"),
        video_token_index=_id(tokens, "<video>"),
        image_grid_pinpoints=GRID,
        vision_feature_select_strategy="full",
        vision_feature_layer=-1,
    )
    return _model(hf.LlavaOnevisionForConditionalGeneration, config, processor)


def qwen2_vl() -> LoadedModel:
    vision = {"embed_dim": 16, "hidden_size": 32, "depth": 2, "num_heads": 2, "mlp_ratio": 1, "patch_size": 14}
    return _qwen(hf.Qwen2VLForConditionalGeneration, hf.Qwen2VLConfig, hf.Qwen2VLProcessor, vision, QWEN)


def qwen2_5_vl() -> LoadedModel:
    vision = {
        **{"hidden_size": 16, "intermediate_size": 16, "depth": 2, "num_heads": 2, "patch_size": 14},
        **{"out_hidden_size": 32, "window_size": 28, "fullatt_block_indexes": [1]},
    }
    return _qwen(hf.Qwen2_5_VLForConditionalGeneration, hf.Qwen2_5_VLConfig, hf.Qwen2_5_VLProcessor, vision, QWEN)


def qwen3_vl() -> LoadedModel:
    vision = {
        **{"hidden_size": 16, "intermediate_size": 16, "depth": 2, "num_heads": 2, "patch_size": 14},
        **{"out_hidden_size": 32, "num_position_embeddings": 16, "deepstack_visual_indexes": [0, 1]},
    }
    return _qwen(hf.Qwen3VLForConditionalGeneration, hf.Qwen3VLConfig, hf.Qwen3VLProcessor, vision, QWEN3)


def _qwen(model: Any, config: Any, processor: Any, vision: dict[str, Any], template: str) -> LoadedModel:
    tokens = tokenizer(
        None, "<|im_end|>", "<|im_start|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"
    )
    size = {"shortest_edge": MIN_PIXELS, "longest_edge": MAX_PIXELS}
    with without_video():
        made = processor(hf.Qwen2VLImageProcessorPil(size=size, patch_size=14), tokens, None, chat_template=template)
    text = {**TEXT, "vocab_size": len(tokens), "rope_parameters": ROPE, "head_dim": 8}
    ids = {name: _id(tokens, f"<|{token}|>") for name, token in _QWEN_TOKENS.items()}
    return _model(model, config(vision_config=vision, text_config=text, **ids), made)


_QWEN_TOKENS = {
    "image_token_id": "image_pad",
    "video_token_id": "video_pad",
    "vision_start_token_id": "vision_start",
    "vision_end_token_id": "vision_end",
}


def mllama() -> LoadedModel:
    tokens = tokenizer(
        "<|begin_of_text|>", "<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>", "<|image|>", "<|python_tag|>"
    )
    processor = hf.MllamaProcessor(
        hf.MllamaImageProcessorPil(size={"height": 28, "width": 28}, max_image_tiles=4), tokens, MLLAMA
    )
    vision = {
        **{"hidden_size": 16, "intermediate_size": 16, "attention_heads": 2, "num_hidden_layers": 2, "norm_eps": 1e-5},
        **{"num_global_layers": 1, "image_size": 28, "patch_size": 14, "max_num_tiles": 4},
        **{"intermediate_layers_indices": [0, 1], "vision_output_dim": 48},
    }
    text = {**TEXT, "vocab_size": len(tokens), "num_hidden_layers": 3, "cross_attention_layers": [1]}
    config = hf.MllamaConfig(
        vision_config=vision,
        text_config={**text, "rope_parameters": {"rope_type": "default", "rope_theta": 1e4}, "pad_token_id": 0},
        image_token_index=_id(tokens, "<|image|>"),
    )
    loaded = _model(hf.MllamaForConditionalGeneration, config, processor)
    for name, parameter in loaded.model.named_parameters():
        if name.endswith(("cross_attn_attn_gate", "cross_attn_mlp_gate", ".gate", "gate_ffn", "gate_attn")):
            parameter.data.fill_(0.7)  # zero until trained, and then no picture is seen
    return loaded


def internvl() -> LoadedModel:
    tokens = tokenizer(
        None,
        "<|im_end|>",
        "<|im_start|>",
        start_image_token="<img>",
        end_image_token="</img>",
        context_image_token="<IMG_CONTEXT>",
        video_token="<video>",
    )
    with without_video():
        processor = hf.InternVLProcessor(
            hf.GotOcr2ImageProcessorPil(size={"height": 28, "width": 28}, min_patches=1, max_patches=4),
            tokens,
            None,
            image_seq_length=1,
            chat_template=INTERNVL,
        )
    vision = {**VISION, "image_size": [28, 28], "patch_size": [14, 14]}
    config = hf.InternVLConfig(
        vision_config=vision,
        text_config=_text(hf.Qwen2Config, tokens),
        image_token_id=_id(tokens, "<IMG_CONTEXT>"),
        image_seq_length=1,
    )
    return _model(hf.InternVLForConditionalGeneration, config, processor)


def gemma3() -> LoadedModel:
    tokens = tokenizer(
        "<bos>",
        "<eos>",
        "<start_of_turn>",
        "<end_of_turn>",
        image_token="<image_soft_token>",
        boi_token="<start_of_image>",
        eoi_token="<end_of_image>",
    )
    processor = hf.Gemma3Processor(
        hf.Gemma3ImageProcessorPil(size={"height": 28, "width": 28}, image_seq_length=4),
        tokens,
        GEMMA,
        image_seq_length=4,
    )
    config = hf.Gemma3Config(
        vision_config=VISION,
        text_config={**TEXT, "vocab_size": len(tokens), "head_dim": 8, "sliding_window": 512},
        mm_tokens_per_image=4,
        image_token_index=_id(tokens, "<image_soft_token>"),
        boi_token_index=_id(tokens, "<start_of_image>"),
        eoi_token_index=_id(tokens, "<end_of_image>"),
    )
    return _model(hf.Gemma3ForConditionalGeneration, config, processor, "<end_of_turn>")


def idefics3() -> LoadedModel:
    tokens = tokenizer(
        "<|im_start|>",
        "<end_of_utterance>",
        "<fake_token_around_image>",
        "<image>",
        "<global-img>",
        *(f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)),
    )
    processor = hf.Idefics3Processor(
        hf.Idefics3ImageProcessorPil(size={"longest_edge": 56}, max_image_size={"longest_edge": 28}),
        tokens,
        image_seq_len=1,
        chat_template=IDEFICS,
    )
    config = hf.Idefics3Config(
        vision_config=VISION,
        text_config=_text(hf.LlamaConfig, tokens, pad_token_id=0),
        image_token_id=_id(tokens, "<image>"),
        scale_factor=2,
        pad_token_id=0,
    )
    return _model(hf.Idefics3ForConditionalGeneration, config, processor)


def paligemma(template: str | None = PALIGEMMA) -> LoadedModel:
    """The published checkpoints have no chat template; this one has their prompt's form."""
    tokens = tokenizer("<bos>", "<eos>", image_token="<image>")
    images = hf.SiglipImageProcessorPil(size={"height": 28, "width": 28})
    images.image_seq_length = 4
    processor = hf.PaliGemmaProcessor(images, tokens, chat_template=template)
    config = hf.PaliGemmaConfig(
        vision_config={**VISION, "projection_dim": 32, "vision_use_head": False},
        text_config={**TEXT, "model_type": "gemma", "vocab_size": len(tokens), "head_dim": 8},
        image_token_index=_id(tokens, "<image>"),
        projection_dim=32,
    )
    return _model(hf.PaliGemmaForConditionalGeneration, config, processor)


def aya_vision() -> LoadedModel:
    tokens = tokenizer(
        "<BOS_TOKEN>",
        "<|END_OF_TURN_TOKEN|>",
        *(f"<|{name}|>" for name in ("START_OF_TURN_TOKEN", "USER_TOKEN", "CHATBOT_TOKEN")),
        *(f"<|{name}|>" for name in ("START_RESPONSE", "END_RESPONSE")),
        *(f"<|{name}|>" for name in ("START_OF_IMG", "END_OF_IMG", "IMG_PATCH", "IMG_LINE_BREAK")),
        *("<image>", "TILE", "TILE_GLOBAL"),
    )
    processor = hf.AyaVisionProcessor(
        hf.GotOcr2ImageProcessorPil(size={"height": 28, "width": 28}, min_patches=1, max_patches=4),
        tokens,
        patch_size=14,
        img_size=28,
        downsample_factor=2,
        chat_template=AYA,
    )
    config = hf.AyaVisionConfig(
        vision_config=hf.SiglipVisionConfig(**VISION, vision_use_head=False),
        text_config=_text(hf.Cohere2Config, tokens, head_dim=8),
        image_token_index=_id(tokens, "<|IMG_PATCH|>"),
        downsample_factor=2,
        alignment_intermediate_size=32,
    )
    return _model(hf.AyaVisionForConditionalGeneration, config, processor)


FAMILIES: Mapping[str, Callable[[], LoadedModel]] = {
    "LLaVA-1.5": llava,
    "LLaVA-NeXT": llava_next,
    "LLaVA-OneVision": llava_onevision,
    "Qwen2-VL": qwen2_vl,
    "Qwen2.5-VL": qwen2_5_vl,
    "Qwen3-VL": qwen3_vl,
    "Llama-3.2-Vision": mllama,
    "InternVL": internvl,
    "Gemma 3": gemma3,
    "Idefics3": idefics3,
    "PaliGemma": paligemma,
    "Aya Vision": aya_vision,
}


@contextmanager
def without_video() -> Iterator[None]:
    """Let a processor be made without its video part, which needs torchvision."""
    check = hf.ProcessorMixin.check_argument_for_proper_class
    hf.ProcessorMixin.check_argument_for_proper_class = lambda self, name, value: (
        value is None or check(self, name, value)
    )
    try:
        yield
    finally:
        hf.ProcessorMixin.check_argument_for_proper_class = check


def _id(tokens: PreTrainedTokenizerFast, token: str) -> int:
    number: int = tokens.convert_tokens_to_ids(token)
    return number


def _text(config: Any, tokens: PreTrainedTokenizerFast, **more: Any) -> Any:
    return config(**TEXT, vocab_size=len(tokens), **more)


def _model(model_class: Any, config: Any, processor: Any, end_of_turn: str | None = None) -> LoadedModel:
    """Random weights, large enough to have opinions, the same every time."""
    tokens = processor.tokenizer
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = model_class(config)
        for parameter in model.parameters():
            if parameter.dim() > 1:
                torch.nn.init.normal_(parameter, std=0.3)
    stop = tokens.eos_token_id if end_of_turn is None else [tokens.eos_token_id, _id(tokens, end_of_turn)]
    model.generation_config = GenerationConfig(eos_token_id=stop, pad_token_id=tokens.pad_token_id)
    return LoadedModel(model.eval().requires_grad_(False), processor, "random")

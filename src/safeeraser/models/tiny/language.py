"""The language model: SmolLM2-135M-Instruct (arXiv 2502.02737) read out of a 4-bit GGUF file, dequantised.

transformers reads GGUF too, but marks the result as quantised, so that it refuses to be saved, and leaves out the digit
splitting of this tokenizer.
"""

from pathlib import Path
from typing import Any

import gguf
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from safeeraser.models.tiny.weights import pretrained

IMAGE_TOKEN = "<image>"
"""Stands where picture tokens go."""

_RENAMED = "<empty_output>"  # a special token only code corpora use: its row becomes <image>, and the vocabulary stays
_END_OF_TEXT, _START, _END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
_KEY_HEADS = "llama.attention.head_count_kv"

_NAMES = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


def language_model(gguf_file: Path) -> LlamaForCausalLM:
    """Return the model in fp32, its weights exactly the dequantised ones of the file."""
    reader = gguf.GGUFReader(gguf_file)
    heads = {"attn_q": _field(reader, "llama.attention.head_count"), "attn_k": _field(reader, _KEY_HEADS)}
    weights = {_name(item.name): _weight(item, heads) for item in reader.tensors}
    return pretrained(LlamaForCausalLM, _config(reader), weights)


def tokenizer(gguf_file: Path) -> PreTrainedTokenizerFast:
    """Return the model's tokenizer (49,152 tokens) with `<image>` in the place of an unused special token.

    Padding is `<|endoftext|>`, not the end of a turn as in the file, so that padding never looks like an answer's end.
    """
    reader = gguf.GGUFReader(gguf_file)
    tokens = [IMAGE_TOKEN if token == _RENAMED else token for token in _field(reader, "tokenizer.ggml.tokens")]
    kinds = _field(reader, "tokenizer.ggml.token_type")
    special = [token for token, kind in zip(tokens, kinds, strict=True) if kind == gguf.TokenType.CONTROL]
    merges = [tuple(pair.split(" ")) for pair in _field(reader, "tokenizer.ggml.merges")]
    backend = Tokenizer(models.BPE({token: index for index, token in enumerate(tokens)}, merges))
    digits = pre_tokenizers.Digits(individual_digits=True)
    backend.pre_tokenizer = pre_tokenizers.Sequence([digits, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in special])
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token=_START,
        eos_token=_END,
        unk_token=_END_OF_TEXT,
        pad_token=_END_OF_TEXT,
        extra_special_tokens={"image_token": IMAGE_TOKEN},
        model_max_length=_field(reader, "llama.context_length"),
        clean_up_tokenization_spaces=False,
    )


def _field(reader: gguf.GGUFReader, name: str) -> Any:
    field = reader.get_field(name)
    if field is None:
        raise ValueError(f"the GGUF file has no field {name}")
    return field.contents()


def _config(reader: gguf.GGUFReader) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=_field(reader, "llama.vocab_size"),
        hidden_size=_field(reader, "llama.embedding_length"),
        intermediate_size=_field(reader, "llama.feed_forward_length"),
        num_hidden_layers=_field(reader, "llama.block_count"),
        num_attention_heads=_field(reader, "llama.attention.head_count"),
        num_key_value_heads=_field(reader, _KEY_HEADS),
        max_position_embeddings=_field(reader, "llama.context_length"),
        rms_norm_eps=_field(reader, "llama.attention.layer_norm_rms_epsilon"),
        rope_parameters={"rope_type": "default", "rope_theta": _field(reader, "llama.rope.freq_base")},
        tie_word_embeddings=True,
        bos_token_id=_field(reader, "tokenizer.ggml.bos_token_id"),
        eos_token_id=_field(reader, "tokenizer.ggml.eos_token_id"),
        pad_token_id=_field(reader, "tokenizer.ggml.unknown_token_id"),
    )


def _name(name: str) -> str:
    """Translate `blk.3.attn_q.weight` to `model.layers.3.self_attn.q_proj.weight`."""
    *block, key, _ = name.removeprefix("blk.").split(".")
    return ".".join([*(["model.layers", *block] if block else []), _NAMES[key], "weight"])


def _weight(item: gguf.ReaderTensor, heads: dict[str, int]) -> Tensor:
    weight = torch.from_numpy(gguf.quants.dequantize(item.data, item.tensor_type).copy())
    key = item.name.split(".")[-2]
    return _halves(weight, heads[key]) if key in heads else weight


def _halves(weight: Tensor, heads: int) -> Tensor:
    """Undo GGUF's order of rotary pairs: it keeps the two of a pair side by side, Llama in the two halves of a head."""
    return weight.reshape(heads, -1, 2, weight.shape[1]).transpose(1, 2).reshape(weight.shape)

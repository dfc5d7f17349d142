"""The language model and its tokenizer equal what transformers reads from the same GGUF file."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from safeeraser.models.tiny.language import IMAGE_TOKEN, tokenizer


@pytest.fixture(scope="module")
def tokens(gguf_file):
    return tokenizer(gguf_file)


@pytest.mark.slow
def test_weights_and_logits_equal_those_transformers_reads(gguf_file: Path, parts, tokens):
    reference = AutoModelForCausalLM.from_pretrained(
        gguf_file.parent, gguf_file=gguf_file.name, dtype=torch.float32
    ).eval()
    ours = parts[0]
    theirs = reference.state_dict()
    assert ours.state_dict().keys() == theirs.keys()
    assert all(torch.equal(weight, theirs[name]) for name, weight in ours.state_dict().items())
    prompt = tokens("The three primary colours are", return_tensors="pt")
    with torch.no_grad():
        assert torch.allclose(ours(**prompt).logits, reference(**prompt).logits, atol=1e-4)


def test_the_assembled_model_answers_text_like_the_language_model(parts, model, tokens):
    prompt = tokens("<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n")
    ids = torch.tensor([prompt.input_ids])
    with torch.no_grad():
        assert torch.allclose(model(input_ids=ids).logits, parts[0](input_ids=ids).logits, atol=1e-4)
    answer = model.generate(input_ids=ids, max_new_tokens=12)[0, ids.shape[1] :]
    assert tokens.decode(answer) == "The capital of France is Paris.<|im_end|>"


@pytest.mark.slow
def test_the_tokenizer_agrees_with_the_one_transformers_reads(gguf_file, tokens):
    reference = AutoTokenizer.from_pretrained(gguf_file.parent, gguf_file=gguf_file.name)
    texts = [
        "I'm afraid I can't help.",
        "In 1998, 12 of 345\n\n  cats",
        "naïve 東京 😀",
        "<|im_start|>user\nHi<|im_end|>",
    ]
    assert [tokens(text).input_ids for text in texts] == [reference(text).input_ids for text in texts]
    assert [tokens.decode(tokens(text).input_ids) for text in texts] == texts


def test_digits_are_split_from_what_precedes_them(tokens):
    """As in the tokenizer SmolLM2 was trained with; the one transformers reads splits the two spaces as well."""
    assert tokens.tokenize("a  12") == ["a", "ĠĠ", "1", "2"]


def test_the_image_token_takes_the_place_of_an_unused_one(tokens):
    assert len(tokens) == 49_152
    assert tokens(f"a{IMAGE_TOKEN}b").input_ids[1] == tokens.image_token_id == 16
    assert "<empty_output>" not in tokens.get_vocab()


def test_padding_is_not_the_end_of_a_turn(tokens):
    assert (tokens.pad_token, tokens.eos_token) == ("<|endoftext|>", "<|im_end|>")


def test_it_survives_being_saved(tokens, tmp_path):
    tokens.save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    text = f"<|im_start|>user\n{IMAGE_TOKEN}\nWhat  is 42?<|im_end|>"
    assert again(text).input_ids == tokens(text).input_ids
    assert again.image_token_id == tokens.image_token_id
    assert again.get_vocab() == tokens.get_vocab()
    assert again.pad_token == tokens.pad_token

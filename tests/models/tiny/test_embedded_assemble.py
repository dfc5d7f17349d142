"""The assembled folder is an ordinary model folder: Auto classes, chat template, picture tokens, generation."""

import pytest
import torch
from PIL import Image
from transformers import AutoProcessor

from safeeraser.models.tiny import IMAGE_SIZE, base
from safeeraser.models.tiny.assemble import random_projector

PICTURE_TOKENS = (IMAGE_SIZE // 14) ** 2


def _chat(question: str, answer: str | None = None, image: Image.Image | None = None) -> list[dict]:
    content = [{"type": "image"} | ({"image": image} if image else {}), {"type": "text", "text": question}]
    turns = [{"role": "user", "content": content}]
    return turns if answer is None else [*turns, {"role": "assistant", "content": answer}]


@pytest.mark.parametrize(
    ("chat", "prompt", "expected"),
    [
        (
            _chat("What is it?", "A cat."),
            False,
            "<|im_start|>user\n<image>\nWhat is it?<|im_end|>\n<|im_start|>assistant\nA cat.<|im_end|>",
        ),
        (_chat("What is it?"), True, "<|im_start|>user\n<image>\nWhat is it?<|im_end|>\n<|im_start|>assistant\n"),
        (
            [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
            True,
            "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n",
        ),
        (
            [
                {"role": "user", "content": "One?"},
                {"role": "assistant", "content": [{"type": "text", "text": "Two."}]},
                {"role": "user", "content": "Three?"},
            ],
            False,
            "<|im_start|>user\nOne?<|im_end|>\n<|im_start|>assistant\nTwo.<|im_end|>\n<|im_start|>user\nThree?<|im_end|>",
        ),
    ],
    ids=["answered", "prompt", "system", "turns"],
)
def test_the_chat_template_writes_exactly(processor, chat, prompt, expected):
    assert processor.apply_chat_template(chat, add_generation_prompt=prompt) == expected


def test_prompt_and_answer_join_to_the_whole_chat(processor):
    whole = processor.apply_chat_template(_chat("What is it?", "A cat."))
    prompt = processor.apply_chat_template(_chat("What is it?"), add_generation_prompt=True)
    assert whole == prompt + "A cat.<|im_end|>"


def test_the_answer_mask_covers_the_answer_and_its_end_of_turn(processor):
    picture = Image.new("RGB", (IMAGE_SIZE, IMAGE_SIZE))
    inputs = processor.apply_chat_template(
        _chat("What is it?", "A cat.", picture), tokenize=True, return_dict=True, return_assistant_tokens_mask=True
    )
    answer = [token for token, inside in zip(*_rows(inputs, "input_ids", "assistant_masks"), strict=True) if inside]
    assert processor.tokenizer.decode(answer) == "A cat.<|im_end|>"


def _rows(inputs, *names: str) -> list[list[int]]:
    return [torch.as_tensor(inputs[name]).flatten().tolist() for name in names]


@pytest.mark.parametrize("size", [(IMAGE_SIZE, IMAGE_SIZE), (300, 90), (20, 20)])
def test_a_picture_of_any_shape_takes_the_same_number_of_tokens(processor, model, size):
    text = processor.apply_chat_template(_chat("What is it?"), add_generation_prompt=True)
    inputs = processor(text=[text], images=[Image.new("RGB", size, "red")], return_tensors="pt")
    assert inputs["pixel_values"].shape == (1, 3, IMAGE_SIZE, IMAGE_SIZE)
    assert (inputs["input_ids"] == model.config.image_token_id).sum() == PICTURE_TOKENS
    assert model.config.image_seq_length == PICTURE_TOKENS


def test_pictures_are_normalised_like_imagenet(processor):
    pixels = processor.image_processor(Image.new("RGB", (50, 50), (255, 0, 128)), return_tensors="pt")["pixel_values"]
    expected = [(1 - 0.485) / 0.229, (0 - 0.456) / 0.224, (128 / 255 - 0.406) / 0.225]
    assert pixels[0, :, 5, 5].tolist() == pytest.approx(expected, abs=1e-5)


def test_the_picture_reaches_the_answer(model, processor):
    text = processor.apply_chat_template(_chat("What is it?"), add_generation_prompt=True)
    pictures = [Image.new("RGB", (IMAGE_SIZE, IMAGE_SIZE), colour) for colour in ("black", "white")]
    inputs = processor(text=[text] * 2, images=pictures, return_tensors="pt")
    with torch.no_grad():
        black, white = model(**inputs).logits[:, -1]
    assert (black - white).abs().max() > 1e-3


def test_generation_is_greedy_and_ends_with_the_turn(model):
    settings = model.generation_config
    assert (settings.do_sample, settings.eos_token_id, settings.pad_token_id) == (False, 2, 0)


def test_the_processor_survives_being_saved_again(processor, tmp_path):
    processor.save_pretrained(tmp_path)
    again = AutoProcessor.from_pretrained(tmp_path)
    text = processor.apply_chat_template(_chat("What is 1 + 1?"), add_generation_prompt=True)
    picture = Image.linear_gradient("L").convert("RGB")
    first, second = (one(text=[text], images=[picture], return_tensors="pt") for one in (processor, again))
    assert again.apply_chat_template(_chat("What is 1 + 1?"), add_generation_prompt=True) == text
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_the_random_projector_is_always_the_same_and_leaves_the_global_seed_alone(model):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    projector = random_projector(model.config).state_dict()
    assert torch.equal(torch.rand(3), expected)
    stored = model.model.multi_modal_projector.state_dict()
    assert all(torch.equal(weight, stored[name]) for name, weight in projector.items())


def test_input_and_output_embeddings_stay_tied(model):
    assert model.lm_head.weight is model.model.language_model.embed_tokens.weight


def test_building_again_is_not_needed(folder, monkeypatch):
    monkeypatch.setattr("safeeraser.models.tiny.assemble.fetch", None)
    assert base() == folder

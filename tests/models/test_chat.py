"""The answer mask covers exactly the answer and its end-of-turn token, and the prompt is what generation sees."""

from pathlib import Path

import pytest
import torch
from PIL import Image
from tokenizers import normalizers
from transformers import LlamaTokenizer

from safeeraser.models.chat import Chat, ChatError, ChatTokenizer, answer_mask, pad
from tests import tiny_random

QUESTION, ANSWER = "What is it?", "A kettle, I think."


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "picture.png"
    Image.new("RGB", (40, 30), (10, 200, 90)).save(path)
    return path


def chat(template: str = "end of turn") -> ChatTokenizer:
    return ChatTokenizer.of(tiny_random.load(template))


@pytest.mark.parametrize("template", tiny_random.TEMPLATES)
@pytest.mark.parametrize("pictured", [True, False])
def test_mask_covers_answer_and_end_of_turn(template: str, pictured: bool, image: Path) -> None:
    tokens = chat(template)
    row = tokens.answered(QUESTION, image if pictured else None, ANSWER)
    answer = [token for token, inside in zip(row.ids, answer_mask([row], len(row.ids))[0], strict=True) if inside]
    assert tokens.tokenizer.decode(answer).strip() == ANSWER + "<|end|>"
    assert row.ids[: row.prompt_length] == tokens.prompt(QUESTION, image if pictured else None).ids


@pytest.mark.parametrize("template", tiny_random.TEMPLATES)
def test_prompt_equals_the_processors_own_tokens(template: str, image: Path) -> None:
    tokens = chat(template)
    content = [{"type": "image", "path": str(image)}, {"type": "text", "text": QUESTION}]
    own = tokens.processor.apply_chat_template(
        [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=True, return_dict=True
    )
    assert tokens.prompt(QUESTION, image).ids == tuple(own["input_ids"][0])


def test_answer_keeps_its_text(image: Path) -> None:
    tokens = chat()
    odd = "  Two  spaces, ÜMLAUT and\na line break "
    row = tokens.answered(QUESTION, image, odd)
    assert tokens.tokenizer.decode(row.ids[row.prompt_length : -1]) == odd


def test_pixels_equal_the_processors(image: Path) -> None:
    tokens = chat()
    with Image.open(image) as picture:
        own = tokens.processor(text=["<image>"], images=[picture], return_tensors="pt")["pixel_values"]
    assert torch.equal(tokens.pixels([image, image])["pixel_values"], torch.cat([own, own]))


def test_a_template_that_changes_the_answer_is_an_error() -> None:
    tokens = chat()
    tokens.processor.chat_template = tiny_random.TEMPLATES["end of turn"].replace(
        "part['text'] }}", "part['text'] | upper }}"
    )
    with pytest.raises(ChatError, match="LlavaProcessor: the chat template does not put the answer right after"):
        tokens.answered(QUESTION, None, ANSWER)


def test_a_placeholder_in_the_question_is_an_error(image: Path) -> None:
    with pytest.raises(ChatError, match="2 times <image> in a prompt with a picture"):
        chat().prompt("What does <image> mean?", image)
    with pytest.raises(ChatError, match="1 times <image> in a prompt without a picture"):
        chat().prompt("What does <image> mean?", None)


def test_a_model_without_end_of_turn_is_an_error() -> None:
    with pytest.raises(ChatError, match="end-of-turn"):
        ChatTokenizer(tiny_random.load().processor, [])


def test_a_begun_answer_turns_with_one_blank_where_the_tokenizer_adds_one_at_the_beginning() -> None:
    letters = {letter: 4 + place for place, letter in enumerate("SureINo:A.")}
    words = {"▁S": 20, "▁Su": 21, "▁Sur": 22, "▁Sure": 23, "▁N": 24, "▁No": 25}
    merges = [("▁", "S"), ("▁S", "u"), ("▁Su", "r"), ("▁Sur", "e"), ("▁", "N"), ("▁N", "o")]
    tokens = chat()
    tokens.tokenizer = LlamaTokenizer({"<unk>": 0, "<s>": 1, "</s>": 2, "▁": 3, **letters, **words}, merges)
    backend = tokens.tokenizer.backend_tokenizer  # as LLaVA-1.5 was published
    backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    backend.pre_tokenizer = None
    ids = (*tokens.tokenizer("A: Sure.", add_special_tokens=False)["input_ids"], 2)
    row = tokens.turned(Chat(ids, 3, None, range(3, 5)), 1, "No.")
    assert tokens.tokenizer.convert_ids_to_tokens(row.ids) == ["▁", "A", ":", "▁Sure", "▁No", ".", "</s>"]
    assert row.prompt_length == 4


def test_an_answer_that_turns_is_checked_like_any_other(image: Path) -> None:
    tokens = chat()
    begun = tokens.answered(QUESTION, image, ANSWER)
    with pytest.raises(ChatError, match="holds a token that stands for a picture"):
        tokens.turned(begun, 2, "No <image>.")
    short = ChatTokenizer(tokens.processor, tokens.end_of_turn, positions=len(begun.ids))
    with pytest.raises(ChatError, match="the model has positions for"):
        short.turned(begun, 2, "That I will not do.")


def test_padding_on_either_side(image: Path) -> None:
    tokens = chat()
    rows = [tokens.prompt(QUESTION, image), tokens.prompt("Hi", None)]
    ids, mask = pad(rows, tokens.pad_id)
    left_ids, left_mask = pad(rows, tokens.pad_id, left=True)
    assert mask.sum(1).tolist() == left_mask.sum(1).tolist() == [len(row.ids) for row in rows]
    assert torch.equal(ids[mask.bool()], left_ids[left_mask.bool()])
    assert mask[1, 0] == 1
    assert left_mask[1, 0] == 0

"""Models that think before they answer: their templates can be asked, and no decoder hides the marks."""

from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers.decoders import Fuse, Replace, Strip
from tokenizers.decoders import Sequence as DecoderSequence

from safeeraser.generation.decoding import Decoder
from safeeraser.generation.run import generate
from safeeraser.generation.settings import GenerateSettings
from safeeraser.models.chat import ChatTokenizer
from safeeraser.models.load import LoadedModel
from safeeraser.records import Generation, read_jsonl
from tests import tiny_random

_PAST = {
    "as Qwen3-VL-Thinking": "<think>\n\n</think>\n\n",
    "that leaves the reasoning of past turns out": "",
}


def thinking(past: str = "as Qwen3-VL-Thinking") -> LoadedModel:
    """A random model whose template begins the reasoning."""
    loaded = tiny_random.load()
    loaded.processor.chat_template = (
        "{% for message in messages %}<|{{ message['role'] }}|>"
        "{{ '" + _PAST[past].replace("\n", "\\n") + "' if message['role'] == 'assistant' else '' }}"
        "{% for part in message['content'] %}{{ '<image>' if part['type'] == 'image' else part['text'] }}{% endfor %}"
        "<|end|>{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|><think>\\n' }}{% endif %}"
    )
    return loaded


@pytest.mark.parametrize("past", _PAST)
def test_answers_that_never_end_the_reasoning_of_the_prompt_are_known(past: str, tmp_path: Path) -> None:
    asked = tiny_random.examples(tmp_path, 2)
    generate(thinking(past), asked, GenerateSettings(max_new_tokens=4), tmp_path / "g.jsonl")
    made = read_jsonl(tmp_path / "g.jsonl", Generation)
    assert made
    assert all(each.unfinished and each.answer == "" and each.reasoning is not None for each in made)


def test_training_answers_behind_the_templates_end_of_the_reasoning() -> None:
    chat = ChatTokenizer.of(thinking())
    made = chat.answered("What is it?", None, "A kettle.")
    assert chat.tokenizer.decode(made.ids[made.prompt_length :]) == "\n</think>\n\nA kettle.<|end|>"


def test_a_blank_stays_where_an_answer_goes_on() -> None:
    tokenizer = tiny_random.load().processor.tokenizer
    tokenizer.backend_tokenizer.decoder = DecoderSequence([Replace("▁", " "), Fuse(), Strip(" ", 1, 0)])  # Llama's
    tokenizer.add_tokens(["▁kettle", "▁is", "full"])
    prompt, said = (tokenizer.convert_tokens_to_ids(words) for words in (["▁kettle"], ["▁is", "full"]))
    assert Decoder(tokenizer)(prompt, said) == "isfull"
    assert Decoder(tokenizer)(prompt, said, goes_on=True) == " isfull"
    assert Decoder(tokenizer)(prompt, said[1:], goes_on=True) == "full"


def test_marks_that_are_special_tokens_stay_and_others_go() -> None:
    tokenizer = tiny_random.load().processor.tokenizer
    tokenizer.add_special_tokens({"additional_special_tokens": ["[THINK]", "[/THINK]"]})
    ids = tokenizer("[THINK]Look.[/THINK]<|user|>A kite.")["input_ids"]
    assert Decoder(tokenizer)([], ids) == "[THINK]Look.[/THINK]A kite."
    assert Decoder(tokenizer)(tokenizer("<|assistant|>[THINK]")["input_ids"], tokenizer("Look.")["input_ids"]) == (
        "[THINK]Look."
    )

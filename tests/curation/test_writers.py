"""Writers: what a reply must be, and what is sent for it."""

from pathlib import Path
from typing import Any

import pytest
from transformers import LlamaConfig, LlamaForCausalLM

from safeeraser.curation.writers.base import Task, Unwritten, parse
from safeeraser.curation.writers.chat import ChatWriter
from safeeraser.curation.writers.templates import Templates
from safeeraser.endpoint.client import Endpoint
from safeeraser.endpoint.settings import EndpointSettings
from safeeraser.judges.local import LocalChat
from tests import tiny_random
from tests.curation.world import picture
from tests.endpoint.fake_server import completion, failed, serving


def task(number: int = 0, **changes: Any) -> Task:
    values: dict[str, Any] = {"key": f"key{number}", "item": f"item {number}", "prompt": "Write.", "image": None}
    return Task(**(values | {"count": 2} | changes))


@pytest.mark.parametrize(
    "text",
    ['["A b?", "C d?"]', ' [ "A  b?",\n"C d?" ]\n', '```json\n["A b?", "C d?"]\n```', '```\n["A b?", "C d?"]```'],
)
def test_a_json_list_is_read(text: str) -> None:
    assert parse(text, 2) == ["A b?", "C d?"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not a JSON list"),
        ("A b?\nC d?", "not a JSON list"),
        ('Here: ["A b?", "C d?"]', "not a JSON list"),
        ('["A b?", "C d?"] I hope this helps', "not a JSON list"),
        ('["A b?", "C d?"', "not a JSON list"),
        ('{"questions": ["A b?", "C d?"]}', "not a JSON list of texts"),
        ('["A b?", 3]', "not a JSON list of texts"),
        ('["A b?"]', "1 different questions among 1 texts, not 2"),
        ('["A b?", "C d?", "E f?"]', "3 different"),
        ('["A b?", "a  B?"]', "1 different questions among 2 texts"),
        ('["A b?", "???"]', "1 different questions among 2 texts"),
        ("[" * 100_000, "not a JSON list"),
    ],
)
def test_nothing_else_is(text: str, reason: str) -> None:
    found = parse(text, 2)
    assert isinstance(found, Unwritten)
    assert found.reason.startswith(reason)


def test_templates_choose_different_lines_the_same_for_the_same_key() -> None:
    lines = "\n".join(f"Question {number}?" for number in range(20))
    first, second, again = Templates().write([task(0, prompt=lines), task(1, prompt=lines), task(0, prompt=lines)])
    assert first == again != second
    assert isinstance(first, list)
    assert len(set(first)) == 2


def test_a_template_with_too_few_lines_writes_nothing() -> None:
    assert list(Templates().write([task(prompt="One?\nOne?")])) == [
        Unwritten("the template has 1 different lines, not 2")
    ]


def served(url: str, cache: Path | None = None, **settings: Any) -> ChatWriter:
    endpoint = Endpoint(EndpointSettings(url=url, model="writer", cache=cache, first_wait=0.0, **settings))
    return ChatWriter(endpoint, "endpoint writer", sees_picture=True, temperature=0.5, max_tokens=50)


def test_the_server_gets_prompt_and_picture_and_a_seed_of_the_task(tmp_path: Path) -> None:
    image = picture(tmp_path / "a.png", 1)
    with serving(lambda _: completion('["A b?", "C d?"]')) as server:
        written = list(served(server.url).write([task(0, image=image), task(1)]))
    assert written == [["A b?", "C d?"]] * 2
    first = next(body for body in server.bodies if isinstance(body["messages"][0]["content"], list))
    other = next(body for body in server.bodies if body is not first)
    assert first["messages"][0]["content"][0]["image_url"]["url"].startswith("data:image/png;base64,")
    assert first["messages"][0]["content"][1] == {"type": "text", "text": "Write."}
    assert (first["model"], first["temperature"], first["max_tokens"]) == ("writer", 0.5, 50)
    assert first["seed"] == task(0).seed != other["seed"] == task(1).seed


def test_a_reply_that_is_no_list_is_unwritten_not_kept_and_asked_again_with_another_seed(tmp_path: Path) -> None:
    replies = iter(["Sure! Here you are.", '["A b?", "C d?"]'])
    with serving(lambda _: completion(next(replies))) as server:
        [first] = served(server.url, tmp_path / "replies").write([task()])
        [second] = served(server.url, tmp_path / "replies").write([task(attempt=1)])
        [third] = served(server.url, tmp_path / "replies").write([task(attempt=1)])
    assert isinstance(first, Unwritten)
    assert second == third == ["A b?", "C d?"]
    assert len(server.bodies) == 2  # the third came from the file
    assert server.bodies[0]["seed"] != server.bodies[1]["seed"]


def test_failures_of_the_server_and_cut_replies_are_unwritten() -> None:
    answers = iter([failed(400, "bad picture"), completion('["A b?"', finish="length")])
    with serving(lambda _: next(answers)) as server:
        written = list(served(server.url, concurrency=1).write([task(0), task(1)]))
    assert "bad picture" in str(written[0])
    assert written[1] == Unwritten("the reply was cut off at writer.max_tokens")


def local(folder: Path, *, sees_picture: bool) -> ChatWriter:
    chat = LocalChat(str(folder), batch_size=2)
    assert chat.sees == sees_picture
    return ChatWriter(chat, chat.identity, sees_picture=sees_picture, temperature=0.0, max_tokens=4)


def test_a_local_model_that_sees_pictures_is_asked_in_batches(tmp_path: Path) -> None:
    loaded = tiny_random.load()
    loaded.model.save_pretrained(tmp_path / "model")
    loaded.processor.save_pretrained(tmp_path / "model")
    tasks = [task(number, image=picture(tmp_path / f"{number}.png", number)) for number in range(3)]
    written = list(local(tmp_path / "model", sees_picture=True).write(tasks))
    assert len(written) == 3
    assert all(isinstance(one, Unwritten) for one in written)  # a random model writes no lists


def test_a_local_chat_model_of_text_is_told_the_prompt_alone(tmp_path: Path) -> None:
    tokenizer = tiny_random.load().processor.tokenizer
    tokenizer.chat_template = "{% for m in messages %}<|user|>{{ m['content'] }}<|end|>{% endfor %}<|assistant|>"
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2
    )
    LlamaForCausalLM(config).save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    writer = local(tmp_path / "model", sees_picture=False)
    written = list(writer.write([task(0), task(1, prompt="Write more than before."), task(2)]))
    assert all(isinstance(one, Unwritten) for one in written)
    assert written[0] == written[2]
    assert "Write" not in str(written)  # the prompt is no part of the reply

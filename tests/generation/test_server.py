"""Answers from a server: the same file as from a model, nothing that failed in it, and a second run that asks again."""

import base64
from collections.abc import Callable
from pathlib import Path

import pytest

from safeeraser.endpoint.client import Endpoint
from safeeraser.endpoint.settings import EndpointSettings
from safeeraser.errors import UserError
from safeeraser.generation.server import MissingAnswersError, answer_from_server, generate_from_server
from safeeraser.generation.settings import GenerateSettings, Request
from safeeraser.records import Example, Generation, read_jsonl
from tests import tiny_random
from tests.endpoint.fake_server import Answer, Body, FakeServer, completion, failed, last_text, serving

SETTINGS = GenerateSettings(max_new_tokens=7)
SAMPLED = SETTINGS.changed(temperature=1.0, top_p=0.9, samples=1, forget_samples=3)


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> list[Example]:
    return tiny_random.examples(tmp_path_factory.mktemp("pictures"), 3)


def said(body: Body) -> str:
    """What the server answers: it depends on everything that it was sent."""
    return f"{last_text(body)} {len(str(body['messages']))} {body['temperature']} {body.get('seed')}"


def echo(body: Body) -> Answer:
    return completion(said(body), finish="length" if "now" in last_text(body) else "stop")


def ask(server: FakeServer, examples: list[Example], output: Path, settings: GenerateSettings = SETTINGS) -> None:
    endpoint = EndpointSettings(url=server.url, model="judge", concurrency=3, attempts=1, first_wait=0.0)
    generate_from_server(Endpoint(endpoint), examples, settings, output)


def test_the_request_holds_question_picture_and_settings(examples: list[Example], tmp_path: Path) -> None:
    with serving(echo) as server:
        ask(server, [examples[0], examples[3]], tmp_path / "answers.jsonl")
    with_picture, without = sorted(server.bodies, key=str, reverse=True)
    picture, text = with_picture["messages"][0]["content"]
    kind, _, data = picture["image_url"]["url"].partition(";base64,")
    assert kind == "data:image/png"
    assert base64.b64decode(data) == examples[0].image.read_bytes()
    assert text["text"] == examples[0].question
    assert without["messages"] == [{"role": "user", "content": examples[3].question}]
    assert (without["model"], without["temperature"], without["max_tokens"]) == ("judge", 0, 7)
    assert "seed" not in without


def test_an_answer_that_is_begun_is_gone_on_with(examples: list[Example], tmp_path: Path) -> None:
    """In the words of vLLM and SGLang; a server that does not know them refuses, and no answer is made up."""
    begun = [Request(examples[0], 0, prefill="Sure,"), Request(examples[1], 0)]
    with serving(echo) as server:
        endpoint = Endpoint(EndpointSettings(url=server.url, model="judge", concurrency=1))
        answer_from_server(endpoint, begun, {}, SETTINGS, tmp_path / "answers.jsonl")
    plain, goes_on = sorted(server.bodies, key=lambda body: "continue_final_message" in body)  # sent in any order
    assert goes_on["messages"][-1] == {"role": "assistant", "content": "Sure,"}
    assert (goes_on["continue_final_message"], goes_on["add_generation_prompt"]) == (True, False)
    assert not {"continue_final_message", "add_generation_prompt"} & plain.keys()
    assert [each.prefill for each in read_jsonl(tmp_path / "answers.jsonl", Generation)] == ["Sure,", None]


def test_answers_are_in_the_order_of_the_requests(examples: list[Example], tmp_path: Path) -> None:
    with serving(echo) as server:
        ask(server, examples, tmp_path / "answers.jsonl", SAMPLED)
    made = read_jsonl(tmp_path / "answers.jsonl", Generation)
    assert [(each.example_id, each.sample) for each in made] == [r.key for r in SAMPLED.requests(examples)]
    assert {each.finish for each in made} == {"stop", "length"}
    drawn = [each.answer for each in made if each.example_id == examples[0].id]
    assert len(set(drawn)) == 3, "each sample has a seed of its own"


def fails_for(name: str, first: Callable[[Body], Answer]) -> Callable[[Body], Answer]:
    return lambda body: first(body) if name in last_text(body) else echo(body)


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (failed(500), "status 500: overloaded"),
        (completion("...", finish="content_filter"), "the server ended the answer with finish_reason 'content_filter'"),
        (Answer("not JSON"), "not a completion"),
        (failed(400, "against our content policy"), "status 400: against our content policy"),
        (Answer({"choices": [{"message": {"content": "", "tool_calls": [{}]}}]}), "a call of a tool"),
    ],
)
def test_what_failed_is_not_written_and_asked_again(
    examples: list[Example], tmp_path: Path, failure: Answer, reason: str
) -> None:
    output, faultless = tmp_path / "answers.jsonl", tmp_path / "faultless.jsonl"
    with serving(fails_for("Count", lambda _: failure)) as server:
        with pytest.raises(MissingAnswersError) as error:
            ask(server, examples, output)
        assert f"3 of {len(examples)} answers are missing; the same command asks again" in str(error.value)
        assert f"3 times: {reason}" in str(error.value)
        assert len(read_jsonl(output, Generation)) == len(examples) - 3
    with serving(echo) as server:
        ask(server, examples, output)
        assert len(server.bodies) == 3
        ask(server, examples, output)
        assert len(server.bodies) == 3, "a finished file asks nothing"
        ask(server, examples, faultless)
    assert output.read_bytes() == faultless.read_bytes()


def test_an_answer_that_was_broken_off_is_asked_for_again_though_replies_are_kept(
    examples: list[Example], tmp_path: Path
) -> None:
    def answer(server: FakeServer) -> None:
        endpoint = EndpointSettings(url=server.url, model="judge", attempts=1, cache=tmp_path / "replies.jsonl")
        generate_from_server(Endpoint(endpoint), examples[:1], SETTINGS, tmp_path / "answers.jsonl")

    with serving(lambda _: completion("Half of", finish="abort")) as server, pytest.raises(MissingAnswersError):
        answer(server)
    with serving(echo) as server:
        answer(server)
    (made,) = read_jsonl(tmp_path / "answers.jsonl", Generation)
    assert made.answer.startswith(examples[0].question)


def message(finish: str = "stop", thought: int = 0, **fields: object) -> Answer:
    usage = {"prompt_tokens": 9, "completion_tokens": 7, "completion_tokens_details": {"reasoning_tokens": thought}}
    return Answer({"choices": [{"message": {"role": "assistant", **fields}, "finish_reason": finish}], "usage": usage})


NO = "I can't help with that."


@pytest.mark.parametrize(
    ("answer", "made"),
    [
        (message(content=NO, reasoning_content="Hm."), (NO, "Hm.", "stop")),
        (message(content=f"<think>Hm.</think>{NO}"), (NO, "Hm.", "stop")),
        (message(content=[{"type": "text", "text": NO}]), (NO, None, "stop")),
        (message(content=None, refusal=NO), (NO, None, "stop")),
        (message(content="", reasoning_content="Hm."), ("", "Hm.", "reasoning")),
        (message("length", content=None, reasoning_content="Hm."), ("", "Hm.", "reasoning")),
        (message("length", content="<think>Hm."), ("", "Hm.", "reasoning")),
        (message("length", thought=7, content=""), ("", "", "reasoning")),
        (message("stop", thought=5, content=NO), (NO, None, "stop")),
        (message("length", content=""), ("", None, "length")),
        (message("end_turn", content=NO), (NO, None, "stop")),
        (message("max_tokens", content="I can"), ("I can", None, "length")),
    ],
)
def test_reasoning_and_refusals_of_servers(
    answer: Answer,
    made: tuple[str, str | None, str],
    examples: list[Example],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with serving(lambda _: answer) as server:
        ask(server, examples[:1], tmp_path / "g.jsonl")
    (found,) = read_jsonl(tmp_path / "g.jsonl", Generation)
    assert (found.answer, found.reasoning, found.finish) == made
    assert ("1 of 1 answers never left their reasoning" in caplog.text) == found.unfinished


def test_the_same_refusal_of_every_request_stops_the_run(examples: list[Example], tmp_path: Path) -> None:
    with serving(lambda _: failed(400, "temperature does not support 0")) as server:
        with pytest.raises(UserError, match=r"the same error .*temperature does not support 0"):
            ask(server, examples, tmp_path / "g.jsonl", SAMPLED.changed(forget_samples=9))
        assert 10 <= len(server.bodies) <= 12


def test_a_cut_file_goes_on(examples: list[Example], tmp_path: Path) -> None:
    output = tmp_path / "answers.jsonl"
    with serving(echo) as server:
        ask(server, examples, output, SAMPLED)
        whole = output.read_bytes()
        output.write_bytes(whole[: len(whole) // 2])
        ask(server, examples, output, SAMPLED)
    assert output.read_bytes() == whole


def test_answers_of_another_model_are_left_alone(examples: list[Example], tmp_path: Path) -> None:
    output = tmp_path / "answers.jsonl"
    with serving(echo) as server:
        ask(server, examples, output)
        other = EndpointSettings(url=server.url, model="other")
        with pytest.raises(UserError, match="made with model = 'judge', not 'other'"):
            generate_from_server(Endpoint(other), examples, SETTINGS, output)


def test_without_a_server_nothing_is_asked(examples: list[Example], tmp_path: Path) -> None:
    with serving(echo) as server:
        pass
    with pytest.raises(UserError, match="no server answers there"):
        ask(server, examples, tmp_path / "answers.jsonl")
    assert not (tmp_path / "answers.jsonl").exists()

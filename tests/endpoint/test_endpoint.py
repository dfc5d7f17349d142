"""The client against a server that fails in every way it can."""

from __future__ import annotations

import itertools
import json
import logging
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from safeeraser.endpoint.client import Endpoint
from safeeraser.endpoint.messages import Message, Request
from safeeraser.endpoint.outcomes import Failure, Outcome, Reply, Usage
from safeeraser.endpoint.settings import EndpointSettings, ServerUse
from safeeraser.errors import UserError
from tests.endpoint.fake_server import DROPPED, Answer, Body, FakeServer, completion, failed, last_text, serving

KEY = "sk-a-secret-that-must-not-leak"


@pytest.fixture(autouse=True)
def _no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def echo(body: Body) -> Answer:
    return completion(last_text(body).upper())


def ask(*texts: str, **parameters: Any) -> list[Request]:
    return [Request(messages=(Message("user", text),), **parameters) for text in texts]


def settings(server: FakeServer, **changes: Any) -> EndpointSettings:
    return EndpointSettings(**{"url": server.url, "model": "judge", "first_wait": 0.01, "timeout": 5.0} | changes)


def complete(endpoint: Endpoint, requests: Iterable[Request], **options: Any) -> list[Outcome]:
    asked = list(requests)
    return list(endpoint.complete(asked, total=len(asked), label="test", **options))


def one(server: FakeServer, request: Request | None = None, **changes: Any) -> Outcome:
    (outcome,) = complete(Endpoint(settings(server, **changes)), [request or ask("hi")[0]])
    return outcome


def in_turn(*answers: Answer) -> Callable[[Body], Answer]:
    """The answers one after the other, then the last one for ever."""
    rest = itertools.chain(answers, itertools.repeat(answers[-1]))
    return lambda _: next(rest)


def test_replies_come_in_the_order_of_the_requests_and_no_more_wait_at_once_than_may() -> None:
    def slower_first(body: Body) -> Answer:
        number = int(last_text(body))
        return Answer(completion(str(number)).body, delay=0.05 if number % 3 == 0 else 0.0)

    with serving(slower_first) as server:
        replies = complete(Endpoint(settings(server, concurrency=3)), ask(*map(str, range(30))))
    assert [reply.text for reply in replies if isinstance(reply, Reply)] == [str(n) for n in range(30)]
    assert 2 <= server.most_at_once <= 3


def test_results_come_before_all_requests_are_read() -> None:
    """A million requests with pictures must not be in memory together."""
    read = 0

    def requests() -> Iterable[Request]:
        nonlocal read
        for request in ask(*map(str, range(1000))):
            read += 1
            yield request

    with serving(echo) as server:
        outcomes = Endpoint(settings(server, concurrency=2)).complete(requests(), total=1000, label="test")
        first = next(iter(outcomes))
        outcomes.close()  # type: ignore[attr-defined]  # an iterator that is a generator, as Ctrl-C would leave it
    assert isinstance(first, Reply)
    assert read < 20


def test_what_is_sent_is_what_was_asked(tmp_path: Path) -> None:
    picture = tmp_path / "kettle.png"
    Image.new("RGB", (2, 2)).save(picture)
    request = Request(
        messages=(Message("system", "Be brief."), Message("user", "What is it?", picture)),
        temperature=0.0,
        top_p=0.9,
        max_tokens=7,
        seed=3,
        stop=("\n",),
    )
    with serving(lambda _: completion("A kettle.", finish="length", tokens=(20, 7))) as server:
        reply = one(server, request)
    assert reply == Reply(text="A kettle.", finish_reason="length", usage=Usage(20, 7))
    (body,) = server.bodies
    system, user = body.pop("messages")
    assert body == {"model": "judge", "temperature": 0.0, "top_p": 0.9, "max_tokens": 7, "seed": 3, "stop": ["\n"]}
    assert system == {"role": "system", "content": "Be brief."}
    assert user["content"][0]["image_url"]["url"].startswith("data:image/png;base64,iVBOR")
    assert user["content"][1] == {"type": "text", "text": "What is it?"}


def test_what_was_not_asked_is_not_sent() -> None:
    with serving(echo) as server:
        one(server)
    assert set(server.bodies[0]) == {"model", "messages"}


@pytest.mark.parametrize(
    "passing",
    [
        *map(failed, (408, 409, 425, 429, 500, 503, 529)),
        failed(429, retry_after="Wed, 99 Oct 99999 99:99:99 GMT"),
        failed(429, retry_after="soon"),
        Answer({"error": {"message": "slow down", "code": "429"}}),
        Answer({"error": {"message": "slow down", "type": "rate_limit_error"}}),
        Answer({"choices": [{"message": {"content": ""}, "finish_reason": "error", "error": {"code": 502}}]}),
        DROPPED,
    ],
)
def test_what_passes_is_tried_again(passing: Answer) -> None:
    with serving(in_turn(passing, passing, completion("ok"))) as server:
        assert one(server) == Reply(text="ok", finish_reason="stop", usage=Usage(10, 5))
    assert len(server.bodies) == 3


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (failed(500), "status 500: overloaded"),
        (Answer("<html><h1>502</h1></html>", 502), "status 502: Bad Gateway"),
        (failed(429), "status 429"),
        (DROPPED, "no connection"),
        (Answer(completion("late").body, delay=2), "no reply within 1 s"),
    ],
)
def test_what_does_not_pass_fails_after_so_many_attempts(answer: Answer, reason: str) -> None:
    with serving(lambda _: answer) as server:
        outcome = one(server, attempts=2, timeout=1)
    assert isinstance(outcome, Failure)
    assert outcome.kind == "api_error"
    assert outcome.reason.startswith(reason)
    assert len(server.bodies) == 2


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (failed(400, "max_tokens is too large"), "status 400: max_tokens is too large"),
        (Answer("{nonsense"), "not a completion"),
        (Answer("<html>hello</html>", headers={"Content_Type": "text/html"}), "not a completion"),
        (Answer({"choices": []}), "not a completion"),
        (Answer({"answer": "yes"}), "not a completion"),
        (completion(None, finish="content_filter"), "no text, but finish_reason 'content_filter'"),
        (completion(None), "no text, but finish_reason 'stop'"),
        (Answer({"choices": [{"message": {}, "finish_reason": "length"}]}), "no text, but finish_reason 'length'"),
        (Answer({"choices": [{"message": None}]}), "no text"),
        (Answer("[" * 100_000), "not a completion"),
        (Answer({"error": {"message": "no credit", "code": 402}}), "an error in place of a completion: no credit"),
        (Answer({"error": "model is loading"}), "an error in place of a completion: model is loading"),
        (Answer({"error": {"code": 402}}), "an error in place of a completion: code 402"),
        (Answer({"object": "error", "message": "no such"}), "an error in place of a completion: no such"),
        (Answer({"detail": "no such"}), "an error in place of a completion: no such"),
        (Answer(""), "not a completion: empty"),
        (
            Answer("data: {}", headers={"Content_Type": "text/event-stream"}),
            "not a completion: Expecting value; it begin",
        ),
        (
            Answer({"choices": [{"message": {"content": "", "tool_calls": [{}]}}]}),
            "a call of a tool in place of an ans",
        ),
        (Answer({"choices": [{"message": {"content": [None]}, "finish_reason": "stop"}]}), "no text"),
    ],
)
def test_what_would_fail_again_is_not_tried_again(answer: Answer, reason: str) -> None:
    with serving(lambda _: answer) as server:
        outcome = one(server)
    assert isinstance(outcome, Failure)
    assert outcome.reason.startswith(reason)
    assert len(server.bodies) == 1


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"error": {"message": "too long", "param": "messages"}}, "messages: too long"),
        ({"error": {"message": "messages are too long", "param": "messages"}}, "messages are too long"),
        ({"error": "too long"}, "too long"),
        ({"error": True, "message": "too long"}, "too long"),
        ({"object": "error", "message": "too long", "param": None, "code": 400}, "too long"),
        ({"detail": "too long"}, "too long"),
        ({"detail": [{"loc": ["body", "n"], "msg": "too long"}, {"msg": "or short"}]}, "n: too long; or short"),
        ([{"error": {"message": "too long", "status": "INVALID_ARGUMENT"}}], "too long"),
        ("upstream: too long", "upstream: too long"),
        ("<html><h1>too long</h1></html>", "Bad Request"),
        ("", "Bad Request"),
        ('{"error":' * 900 + "1" + "}" * 900, "Bad Request"),
    ],
)
def test_an_error_is_told_in_the_servers_words(body: Any, reason: str) -> None:
    with serving(lambda _: Answer(body, 400)) as server:
        assert one(server) == Failure("api_error", f"status 400: {reason}")


POLICY = "The response was filtered due to the prompt triggering our content management policy."


@pytest.mark.parametrize(
    "answer",
    [
        Answer({"error": {"message": POLICY, "param": "prompt", "code": "content_filter"}}, 400),
        Answer({"error": {"message": "Your input was flagged", "code": 403}}, 403),
        Answer({"error": {"message": "no", "code": "data_inspection_failed"}}),
        completion(None, finish="content_filter"),
    ],
)
def test_what_a_filter_objects_to_is_missing_and_stops_nothing(answer: Answer) -> None:
    """Harmful questions come first, and harmless ones are answered. Nor is a form of request learnt from it."""
    schema: dict[str, Any] = {"schema": {"type": "object"}}
    with serving(lambda body: answer if last_text(body) == "harm" else completion("ok")) as server:
        outcomes = complete(Endpoint(settings(server, concurrency=1)), ask(*["harm"] * 12, "hi", **schema))
    assert [getattr(outcome, "kind", None) for outcome in outcomes] == ["filtered"] * 12 + [None]
    assert all("response_format" in body for body in server.bodies)


def test_a_model_of_one_temperature_is_told_how_to_be_asked() -> None:
    for error in ({"message": "'temperature' does not support 0."}, {"message": "No.", "param": "temperature"}):
        with serving(lambda _, error=error: Answer({"error": error}, 400)) as server:
            outcome = one(server)
        assert isinstance(outcome, Failure)
        assert outcome.reason.endswith("; generate with temperature=1, judge with temperature=null")


def test_an_empty_reply_is_a_reply() -> None:
    with serving(lambda _: completion("")) as server:
        assert one(server) == Reply(text="", finish_reason="stop", usage=Usage(10, 5))


def said(message: Body, finish: str | None = "stop", **body: Any) -> Answer:
    """A completion whose message is as the server likes to have it."""
    return Answer({"choices": [{"message": {"role": "assistant", **message}, "finish_reason": finish}], **body})


THINKING = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}


@pytest.mark.parametrize(
    ("message", "text", "reasoning"),
    [
        ({"content": "A kite.", "reasoning_content": "Hm."}, "A kite.", "Hm."),
        ({"content": "A kite.", "reasoning": "Hm."}, "A kite.", "Hm."),
        ({"content": "", "reasoning_content": "Hm."}, "", "Hm."),
        ({"content": None, "reasoning_content": "Hm."}, "", "Hm."),
        ({"content": "A kite.", "reasoning_content": ""}, "A kite.", None),
        ({"content": [{"type": "text", "text": "A "}, {"type": "text", "text": "kite."}]}, "A kite.", None),
        ({"content": [THINKING, {"type": "text", "text": "A kite."}]}, "A kite.", "Hm."),
        ({"content": [THINKING]}, "", "Hm."),
        ({"content": "", "reasoning": [{"type": "text", "text": "Hm."}]}, "", "Hm."),
        ({"content": "", "reasoning_details": [{"type": "reasoning.summary", "summary": "Hm."}]}, "", "Hm."),
        ({"content": [{"type": "output_text", "text": "A kite."}, None, {"type": "text"}]}, "A kite.", None),
        ({"content": {"type": "text", "text": "A kite."}}, "A kite.", None),
        ({"content": ["A kite."]}, "A kite.", None),
        ({"content": None, "refusal": "I can't."}, "I can't.", None),
        ({"content": "", "refusal": "I can't."}, "I can't.", None),
        ({"content": [{"type": "refusal", "refusal": "I can't."}]}, "I can't.", None),
        ({"content": "A \ud83d kite."}, "A \ufffd kite.", None),
    ],
)
def test_what_servers_say_today(message: Body, text: str, reasoning: str | None) -> None:
    with serving(lambda _: said(message)) as server:
        assert one(server) == Reply(text=text, finish_reason="stop", reasoning=reasoning)


@pytest.mark.parametrize(
    ("usage", "counted"),
    [
        ({"prompt_tokens": 10.0, "completion_tokens": 5}, Usage(10, 5)),
        ({"prompt_tokens": 10, "completion_tokens": None}, None),
        ({"prompt_tokens": 0, "completion_tokens": -1}, None),
        ({"prompt_tokens": "ten", "completion_tokens": 5}, None),
        ({"prompt_tokens": float("inf"), "completion_tokens": 5}, None),
        ({"prompt_tokens": 10**400, "completion_tokens": 5}, None),
        ({"prompt_tokens": 10}, None),
        ({}, None),
        ([], None),
        (None, None),
    ],
)
def test_odd_usage_costs_no_answer(usage: Any, counted: Usage | None) -> None:
    with serving(lambda _: said({"content": "A kite."}, usage=usage)) as server:
        assert one(server) == Reply(text="A kite.", finish_reason="stop", usage=counted)


@pytest.mark.parametrize(
    "usage", [{"reasoning_tokens": 7}, {"completion_tokens_details": {"reasoning_tokens": 7}, "completion_tokens": 7}]
)
def test_reasoning_that_is_only_counted_is_no_answer(usage: Body) -> None:
    with serving(in_turn(said({"content": ""}, "length", usage=usage), said({"content": "A"}, usage=usage))) as server:
        unfinished, whole = complete(Endpoint(settings(server, concurrency=1)), ask("a", "b"))
    assert (unfinished.text, unfinished.reasoning) == ("", "")  # type: ignore[union-attr]
    assert (whole.text, whole.reasoning) == ("A", None)  # type: ignore[union-attr]


@pytest.mark.parametrize(("charset", "mark"), [("iso-8859-1", ""), ("utf-8", "\ufeff"), ("klingon", "")])
def test_the_text_is_in_the_encoding_that_the_server_names(charset: str, mark: str) -> None:
    body = mark + json.dumps(completion("caf\xe9").body, ensure_ascii=False)
    content = body.encode("utf-8" if charset == "klingon" else charset)
    with serving(lambda _: Answer(content, headers={"Content_Type": f"application/json; charset={charset}"})) as server:
        assert one(server) == Reply(text="caf\xe9", finish_reason="stop", usage=Usage(10, 5))


def refusing(*names: str, words: str = "Unsupported parameter: '{}'", status: int = 400) -> Callable[[Body], Answer]:
    """A server that does not take these parameters, and is otherwise an echo."""

    def answer(body: Body) -> Answer:
        found = next((name for name in names if name in body), None)
        return echo(body) if found is None else failed(status, words.format(found))

    return answer


def in_param(name: str) -> Callable[[Body], Answer]:
    """The same, where the message does not say which one."""
    body = {"error": {"message": "Unsupported parameter.", "param": name, "code": "unsupported_parameter"}}
    return lambda sent: Answer(body, 400) if name in sent else echo(sent)


@pytest.mark.parametrize(
    ("answer", "sent"),
    [
        (
            refusing("max_tokens", words="{} is not supported. Use 'max_completion_tokens' instead."),
            "max_completion_tokens",
        ),
        (refusing("max_tokens", words="Unknown field: {}", status=422), "max_completion_tokens"),
        (in_param("max_tokens"), "max_completion_tokens"),
        (in_param("seed"), "max_tokens"),
        (refusing("response_format"), "max_tokens"),
        (refusing("response_format", words="invalid request", status=422), "max_tokens"),
        (refusing("seed", words="Extra inputs are not permitted: {}", status=422), "max_tokens"),
        (refusing("max_tokens", "response_format", "seed"), "max_completion_tokens"),
    ],
)
def test_what_a_server_does_not_take_is_learnt_once(answer: Callable[[Body], Answer], sent: str) -> None:
    requests = ask(*"abcdef", max_tokens=7, seed=0, schema={"type": "object"})
    with serving(answer) as server:
        endpoint = Endpoint(settings(server, concurrency=1))
        outcomes = [*complete(endpoint, requests[:3]), *complete(endpoint, requests[3:])]
    assert [outcome.text for outcome in outcomes if isinstance(outcome, Reply)] == list("ABCDEF")
    assert all(body[sent] == 7 for body in server.bodies[-5:])
    assert len(server.bodies) <= 6 + 3


def test_a_form_of_reply_that_was_taken_is_not_left_out_for_another_error() -> None:
    with serving(in_turn(completion("{}"), failed(400, "too long"), completion("{}"))) as server:
        outcomes = complete(Endpoint(settings(server, concurrency=1)), ask(*"abc", schema={"type": "object"}))
    assert [type(outcome) for outcome in outcomes] == [Reply, Failure, Reply]
    assert all("response_format" in body for body in server.bodies)


def test_a_prompt_is_sent_as_it_stands() -> None:
    answer = Answer({"choices": [{"text": " yes", "finish_reason": "stop"}]})
    with serving(lambda _: answer) as server:
        assert one(server, ask("[INST] Is it? [/INST]", raw=True, max_tokens=3)[0]) == Reply(
            text=" yes", finish_reason="stop"
        )
    assert server.bodies == [{"model": "judge", "prompt": "[INST] Is it? [/INST]", "max_tokens": 3}]


def test_one_failure_does_not_touch_the_others() -> None:
    def every_third_fails(body: Body) -> Answer:
        return failed(400, "no") if int(last_text(body)) % 3 == 0 else echo(body)

    with serving(every_third_fails) as server:
        outcomes = complete(Endpoint(settings(server)), ask(*map(str, range(9))))
    assert [isinstance(outcome, Failure) for outcome in outcomes] == [n % 3 == 0 for n in range(9)]


@pytest.mark.parametrize("asked", ["1.5", "date", "milliseconds"])
def test_the_server_says_how_long_to_wait(asked: str, caplog: pytest.LogCaptureFixture) -> None:
    """In seconds or as a date, whose seconds are whole; nothing else is sent meanwhile, and it is said."""
    date = formatdate(time.time() + 3, usegmt=True)
    waits = {"1.5": {"retry_after": "1.5"}, "date": {"retry_after": date}, "milliseconds": {"retry_after_ms": "1500"}}
    with serving(in_turn(failed(429, **waits[asked]), completion("ok"))) as server:
        complete(Endpoint(settings(server, concurrency=1)), ask("a", "b"))
    assert server.times[1] - server.times[0] >= 1.4
    assert f"{server.url} asks to wait" in caplog.text


def test_an_account_that_was_closed_is_no_filter() -> None:
    stopped = pytest.raises(UserError, match="usage policies; nothing more is sent")
    with serving(lambda _: failed(401, "closed for violating our usage policies")) as server, stopped:
        complete(Endpoint(settings(server, concurrency=1)), ask("a", "b"))
    assert len(server.bodies) == 1


def test_a_wait_of_hours_is_not_waited_for() -> None:
    """Not even by the requests that are left, once some were answered."""
    asked = pytest.raises(UserError, match=r"it asks to wait 7200 s\); nothing more is sent")
    with serving(in_turn(completion("ok"), failed(429, retry_after="7200"))) as server, asked:
        complete(Endpoint(settings(server, concurrency=1)), ask(*map(str, range(20))))
    assert len(server.bodies) == 2


def test_requests_a_minute() -> None:
    with serving(echo) as server:
        complete(Endpoint(settings(server, requests_per_minute=600)), ask(*"abcdef"))
    assert server.times[-1] - server.times[0] >= 0.45  # six requests, a tenth of a second between two


def test_the_pace_is_kept_from_one_call_to_the_next() -> None:
    """A vote asks each judge a few hundred answers at a time."""
    with serving(echo) as server:
        endpoint = Endpoint(settings(server, requests_per_minute=300))
        for text in "abcd":
            complete(endpoint, ask(text))
    assert server.times[-1] - server.times[0] >= 0.55  # four requests, a fifth of a second between two


@pytest.mark.parametrize("status", [401, 402, 404])
def test_what_every_request_would_meet_stops_the_run(status: int) -> None:
    with serving(lambda _: failed(status, "no")) as server:
        endpoint = Endpoint(settings(server, concurrency=1))
        for _ in range(2):
            with pytest.raises(UserError, match=rf"{server.url}: status {status}: no.*; nothing more is sent"):
                complete(endpoint, ask(*map(str, range(20))))
    assert len(server.bodies) == 1


@pytest.mark.parametrize("answer", [failed(400, "no"), failed(403, "no"), Answer("<html>"), Answer({"error": "no"})])
def test_the_same_error_from_every_request_stops_the_run(answer: Answer) -> None:
    outcomes = []
    with serving(lambda _: answer) as server:
        asked = Endpoint(settings(server, concurrency=2)).complete(ask(*map(str, range(99))), total=99, label="test")
        with pytest.raises(UserError, match="the first 10 requests all met the same error"):
            outcomes.extend(asked)
    assert len(server.bodies) <= 12


def test_errors_of_some_requests_stop_nothing() -> None:
    with serving(in_turn(completion("ok"), *[failed(400, "no")] * 30, completion("ok"))) as server:
        outcomes = complete(Endpoint(settings(server, concurrency=1)), ask(*map(str, range(32))))
    assert [type(outcome) for outcome in outcomes] == [Reply, *[Failure] * 30, Reply]


def test_an_account_without_money_is_no_busy_server() -> None:
    empty = Answer({"error": {"message": "quota", "code": "insufficient_quota"}}, 429)
    with serving(lambda _: empty) as server, pytest.raises(UserError, match="quota"):
        one(server)
    assert len(server.bodies) == 1


def test_a_reply_that_trickles_ends() -> None:
    slow = Answer(completion("late").body, trickle=0.02)
    with serving(lambda _: slow) as server:
        outcome = one(server, attempts=1, timeout=0.3)
    assert outcome == Failure("api_error", "no reply within 0.3 s")


@pytest.mark.parametrize("status", [200, 500])
def test_a_reply_without_end_is_not_read_to_it(status: int) -> None:
    with serving(lambda _: Answer("x" * 9 * 2**20, status)) as server:
        outcome = one(server)
    assert outcome == Failure("api_error", "not a completion: its reply is larger than 8 MiB")
    assert len(server.bodies) == 1


def test_no_redirect_to_another_server() -> None:
    with serving(echo) as other:
        place = Answer("", 307, {"Location": f"{other.url}/chat/completions"})
        with serving(lambda _: place) as server:
            outcome = one(server)
    assert isinstance(outcome, Failure)
    assert "redirects to another server (127.0.0.1)" in outcome.reason
    assert other.bodies == []


def test_what_is_sent_again_without_its_body_is_not_sent() -> None:
    """A client that follows a 301 asks with GET, as for a page."""
    with serving(lambda _: Answer("", 301, {"Location": "/v2/chat/completions"})) as server:
        outcome = one(server)
    assert isinstance(outcome, Failure)
    assert "it redirects to http://127.0.0.1" in outcome.reason


def test_compressed_replies_are_not_unpacked() -> None:
    with serving(lambda _: Answer(completion("hi").body, headers={"Content_Encoding": "gzip"})) as server:
        outcome = one(server)
    assert isinstance(outcome, Failure)
    assert "compressed" in outcome.reason


def test_no_server_is_a_users_error() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    endpoint = Endpoint(EndpointSettings(url=url, model="judge"))
    with pytest.raises(UserError, match="no server answers there"):
        endpoint.check()
    with pytest.raises(UserError, match=f"{url}: no server answers there"):
        complete(endpoint, ask("hi"))


def test_a_refused_key_is_a_users_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(echo, models=failed(401, f"wrong key {KEY}")) as server:
        with pytest.raises(UserError, match="it needs a key, and none is in the environment variable MY_KEY"):
            complete(Endpoint(settings(server, key_variable="MY_KEY")), ask("hi"))
        monkeypatch.setenv("MY_KEY", KEY)
        with pytest.raises(UserError, match="refuses the key in the environment variable MY_KEY") as caught:
            Endpoint(settings(server, key_variable="MY_KEY")).check()
    assert KEY not in "".join(traceback.format_exception(caught.value))
    assert server.bodies == []


def test_a_server_that_cannot_list_its_models_will_do() -> None:
    with serving(echo, models=failed(404)) as server:
        assert isinstance(one(server), Reply)


def test_a_missing_picture_fails_alone_and_nothing_is_sent(tmp_path: Path) -> None:
    requests = [Request(messages=(Message("user", "?", tmp_path / name),)) for name in ("gone.png", "notes.txt")]
    (tmp_path / "notes.txt").write_text("no picture")
    with serving(echo) as server:
        outcomes = complete(Endpoint(settings(server)), [*requests, *ask("hi")])
    assert [getattr(outcome, "kind", None) for outcome in outcomes] == ["no_image", "no_image", None]
    assert len(server.bodies) == 1


def test_kept_replies_make_no_request(tmp_path: Path) -> None:
    cache = tmp_path / "deep" / "replies.jsonl"
    requests = ask("a", "b", "c", temperature=0.0)
    with serving(echo) as server:
        first = complete(Endpoint(settings(server, cache=cache)), requests)
    assert len(server.bodies) == 3
    again = complete(Endpoint(settings(server, cache=cache)), requests)  # nobody listens there any more
    assert [reply.text for reply in again if isinstance(reply, Reply) and reply.cached] == ["A", "B", "C"]
    assert [reply.usage for reply in again if isinstance(reply, Reply)] == [Usage(10, 5)] * 3
    assert not any(reply.cached for reply in first if isinstance(reply, Reply))


def test_another_question_parameter_model_or_picture_is_another_request(tmp_path: Path) -> None:
    for colour in ("red", "blue"):
        Image.new("RGB", (2, 2), colour).save(tmp_path / f"{colour}.png")
    requests = [
        *ask("a"),
        *ask("b"),
        *ask("a", temperature=0.0),
        *ask("a", seed=1),
        *ask("a", max_tokens=5),
        *(Request(messages=(Message("user", "a", tmp_path / f"{colour}.png"),)) for colour in ("red", "blue")),
    ]
    with serving(echo) as server:
        for model in ("judge", "other"):
            complete(Endpoint(settings(server, cache=tmp_path / "c.jsonl", model=model)), requests)
    assert len(server.bodies) == 2 * len(requests)


def test_a_cache_that_a_kill_cut_short_is_used_as_far_as_it_goes(tmp_path: Path) -> None:
    cache = tmp_path / "replies.jsonl"
    requests = ask(*"abcd")
    with serving(echo) as server:
        whole = settings(server, cache=cache, concurrency=1)
        complete(Endpoint(whole), requests)
        cache.write_bytes(cache.read_bytes()[:-10])
        assert len(complete(Endpoint(whole), requests)) == 4
        assert len(server.bodies) == 5
        complete(Endpoint(whole), requests)
    assert len(server.bodies) == 5


@pytest.mark.parametrize(
    "line", ["[" * 100_000, '["{}", null, "stop", null]', '["{}", "x", 1, null]', '["{}", "x", "stop", "ab"]']
)
def test_a_line_that_is_no_reply_is_passed_over(tmp_path: Path, line: str) -> None:
    cache = tmp_path / "replies.jsonl"
    with serving(echo) as server:
        whole = settings(server, cache=cache)
        complete(Endpoint(whole), ask("a"))
        cache.write_text(line.replace("{}", json.loads(cache.read_text())[0]) + "\n")
        (outcome,) = complete(Endpoint(whole), ask("a"))
        assert len(server.bodies) == 2
    assert isinstance(outcome, Reply)
    assert isinstance(outcome.text, str)
    assert outcome.text != "None"


def test_a_reply_that_cannot_be_used_is_asked_for_again(tmp_path: Path) -> None:
    with serving(in_turn(completion("blah"), completion("yes"))) as server:
        endpoint = Endpoint(settings(server, cache=tmp_path / "c.jsonl"))
        said = [complete(endpoint, ask("a"), keep=lambda _, reply: reply.text == "yes")[0] for _ in range(3)]
    assert [reply.text for reply in said if isinstance(reply, Reply)] == ["blah", "yes", "yes"]
    assert len(server.bodies) == 2


def test_a_kept_reply_that_is_of_no_use_is_asked_for_again(tmp_path: Path) -> None:
    """As of a cache of an older version, which kept whatever fits any axis."""
    with serving(in_turn(completion("blah"), completion("yes"))) as server:
        complete(Endpoint(settings(server, cache=tmp_path / "c.jsonl")), ask("a"))
        endpoint = Endpoint(settings(server, cache=tmp_path / "c.jsonl"))
        said = [complete(endpoint, ask("a"), keep=lambda _, reply: reply.text == "yes")[0] for _ in range(2)]
    assert [reply.text for reply in said if isinstance(reply, Reply)] == ["yes", "yes"]
    assert len(server.bodies) == 2


def test_costs_are_counted_and_the_limit_is_not_passed() -> None:
    """A request costs 10 x 1 + 5 x 2 = 20 millionths; before it is sent, 2 bytes x 1 + 20 x 2 = 42."""
    prices: dict[str, Any] = {"input_price": 1.0, "output_price": 2.0, "concurrency": 1}
    with serving(echo) as server:
        free = Endpoint(settings(server, **prices))
        complete(free, ask(*["hi"] * 10, max_tokens=20))
        assert free.spent.money == pytest.approx(200e-6)
        tight = Endpoint(settings(server, **prices, max_cost=100e-6))
        outcomes = complete(tight, ask(*["hi"] * 10, max_tokens=20))
    assert [getattr(outcome, "kind", "sent") for outcome in outcomes] == ["sent"] * 3 + ["cost_limit"] * 7
    assert tight.spent.money == pytest.approx(60e-6)
    assert len(server.bodies) == 13


def test_what_may_have_been_billed_counts() -> None:
    prices: dict[str, Any] = {"input_price": 1.0, "output_price": 2.0, "attempts": 1, "timeout": 0.2}
    late = Answer(completion("late").body, delay=0.5)
    with serving(in_turn(late, completion("ok", tokens=None), failed(500))) as server:
        endpoint = Endpoint(settings(server, **prices, concurrency=1))
        complete(endpoint, ask("hi", "hi", "hi", max_tokens=20))
    assert endpoint.spent.money == pytest.approx(2 * 42e-6)  # the timeout, the uncounted reply; not the error


def test_the_key_is_sent_and_stays_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Not even where the server says it back, in a reply or in an error."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY + "\n")
    caplog.set_level(logging.DEBUG)
    answers = [
        completion(f"your key is {KEY}", finish=KEY),
        said({"content": None, "refusal": f"not for {KEY}", "reasoning_content": KEY}),
        failed(400, f"bad {KEY}"),
        Answer({"detail": [{"msg": KEY, "loc": [KEY]}]}, 400),
        Answer(f"upstream {KEY}", 400),
        Answer("[" + " " * 90 + KEY),
        Answer({"error": {"message": KEY}}),
        failed(429, KEY, retry_after="1.1"),
        failed(401, KEY),
    ]
    outcomes: list[Outcome] = []
    with serving(in_turn(*answers)) as server:
        chosen = settings(server, cache=tmp_path / "replies.jsonl", concurrency=1)
        endpoint = Endpoint(chosen)
        with pytest.raises(UserError) as caught:
            outcomes.extend(endpoint.complete(ask(*"abcdefghi"), total=9, label="test"))
    assert {headers["authorization"] for headers in server.headers} == {f"Bearer {KEY}"}
    written = "".join(path.read_text() for path in tmp_path.rglob("*") if path.is_file())
    stopped = "".join(traceback.format_exception(caught.value))
    shown = [repr(outcomes), repr(chosen), repr(endpoint), caplog.text, stopped, *capfd.readouterr()]
    assert "your key is [key]" in written
    assert KEY not in written + "".join(shown)


def test_no_key_is_invented() -> None:
    with serving(echo) as server:
        one(server)
    assert server.headers[0]["authorization"] == "Bearer none"


def test_a_key_that_cannot_be_sent_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", f"{KEY}\nand more")
    with serving(echo) as server, pytest.raises(UserError, match="OPENAI_API_KEY holds characters") as caught:
        one(server)
    assert KEY not in str(caught.value)


def test_all_problems_of_the_settings_at_once() -> None:
    with pytest.raises(UserError) as caught:
        EndpointSettings(url="http://me:secret@host/v1?key=x", model="", concurrency=0, max_cost=1.0)
    assert [line.partition(":")[0] for line in str(caught.value).splitlines()] == ["concurrency", "url", "model"]
    with pytest.raises(UserError, match="max_cost needs input_price and output_price"):
        EndpointSettings(url="http://host/v1", model="m", max_cost=1.0)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["http://h:99999/v1", "http://h:x/v1", "http://[::1/v1", "http://h\n/v1", " http://h", "h"]
)
def test_what_is_no_address_is_said_before_anything_is_sent(url: str) -> None:
    with pytest.raises(UserError, match=r"^url: must be http"):
        EndpointSettings(url=url, model="m")


@pytest.mark.parametrize(("name", "value"), [("HTTP_PROXY", "socks9://h:1"), ("SSL_CERT_FILE", "/none")])
def test_an_environment_that_no_client_can_be_made_in_is_a_users_error(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=r"no client for it \(the environment names proxies and certificates\)"):
        Endpoint(EndpointSettings(url="http://127.0.0.1:1/v1", model="m")).check()


def test_stopping_leaves_no_thread_behind() -> None:
    before = threading.active_count()
    with serving(lambda _: Answer(completion("late").body, delay=0.3)) as server:
        outcomes = Endpoint(settings(server, concurrency=2)).complete(ask(*"abcdefghijkl"), total=12, label="test")
        next(outcomes)
        outcomes.close()  # type: ignore[attr-defined]
    assert threading.active_count() <= before + 2  # the server's own threads end in their time


def test_a_server_that_dies_and_comes_back_is_asked_again() -> None:
    gone = threading.Event()

    def then_die(body: Body) -> Answer:
        gone.set()
        return Answer(echo(body).body, headers={"Connection": "close"})

    outcomes: list[Outcome] = []
    with serving(then_die) as first:
        endpoint = Endpoint(settings(first, concurrency=1, attempts=100))
        worker = threading.Thread(target=lambda: outcomes.extend(complete(endpoint, ask(*"abcd"))))
        worker.start()
        gone.wait()
    with serving(echo, port=int(first.url.split(":")[2].split("/")[0])):
        worker.join()
    assert [outcome.text for outcome in outcomes if isinstance(outcome, Reply)] == list("ABCD")


def test_a_key_in_the_place_of_its_variable_is_refused_and_not_repeated() -> None:
    with pytest.raises(UserError, match="must be the name of an environment variable") as told:
        ServerUse(key_variable="sk-proj-secret")
    assert "secret" not in str(told.value)

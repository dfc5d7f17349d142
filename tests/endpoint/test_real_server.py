"""A real server of the OpenAI API, `transformers serve`: answers are the model's own, and it judges."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from safeeraser.endpoint.client import Endpoint
from safeeraser.endpoint.messages import Message
from safeeraser.endpoint.messages import Request as Call
from safeeraser.endpoint.outcomes import Reply
from safeeraser.endpoint.settings import EndpointSettings
from safeeraser.generation.run import generate
from safeeraser.generation.server import generate_from_server
from safeeraser.generation.settings import GenerateSettings
from safeeraser.models.load import load
from safeeraser.records import Example, Generation, read_jsonl
from tests import tiny_random
from tests.runs.pipeline import world

pytestmark = pytest.mark.slow
SETTINGS = GenerateSettings(max_new_tokens=8, batch_size=1)
PATIENCE = 300.0  # seconds that a server may take to be ready


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return world.write_model(tmp_path_factory.mktemp("served") / "model")


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> list[Example]:
    return tiny_random.examples(tmp_path_factory.mktemp("pictures"), 8)


@pytest.fixture(scope="module")
def url(model: Path) -> Iterator[str]:
    with serve(model, free_port()) as url:
        yield url


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serve(model: Path, port: int) -> Iterator[str]:
    """`transformers serve` with this model, stopped at the end."""
    command = Path(sys.executable).parent / "transformers"
    where = ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu", "--dtype", "float32"]
    with subprocess.Popen([command, "serve", str(model), *where], stdout=subprocess.DEVNULL) as server:
        try:
            ready(f"http://127.0.0.1:{port}/health", server)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            server.kill()


def ready(url: str, server: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and server.poll() is None:
        try:
            urlopen(url, timeout=5).close()
            return
        except URLError:
            time.sleep(0.5)
    raise AssertionError(f"the server is not ready (exit code {server.poll()})")


def endpoint(url: str, model: Path, **options: object) -> Endpoint:
    return Endpoint(EndpointSettings(url=url, model=str(model), concurrency=2, timeout=120.0, **options))


def answers(file: Path) -> dict[str, str]:
    return {each.example_id: each.answer.strip() for each in read_jsonl(file, Generation)}


def test_a_server_gives_the_answers_of_the_model(
    url: str, model: Path, examples: list[Example], tmp_path: Path
) -> None:
    generate_from_server(endpoint(url, model), examples, SETTINGS, tmp_path / "served.jsonl")
    generate(load(str(model)), examples, SETTINGS, tmp_path / "own.jsonl")
    served, own = (answers(tmp_path / f"{name}.jsonl") for name in ("served", "own"))
    assert served == own
    assert served.keys() == {each.id for each in examples}


def test_a_judges_prompt_is_replied_to(url: str, model: Path) -> None:
    calls = [
        Call(messages=(Message("user", f"Is it safe? {number}"),), max_tokens=4, temperature=0) for number in range(3)
    ]
    outcomes = list(endpoint(url, model).complete(calls, total=3, label="judge"))
    assert all(isinstance(each, Reply) and each.usage is not None for each in outcomes)


def test_a_server_that_dies_and_comes_back_costs_no_answer(
    model: Path, examples: list[Example], tmp_path: Path
) -> None:
    port, output = free_port(), tmp_path / "answers.jsonl"
    patient = endpoint(f"http://127.0.0.1:{port}/v1", model, attempts=60, first_wait=1.0)
    with ThreadPoolExecutor() as pool:
        with serve(model, port):
            work = pool.submit(generate_from_server, patient, examples, SETTINGS, output)
            while not (output.exists() and answers(output)):
                assert not work.done(), work.result()
                time.sleep(0.01)
        assert len(answers(output)) < len(examples), "it was killed too late"
        with serve(model, port):
            work.result(PATIENCE)
    assert answers(output).keys() == {each.id for each in examples}

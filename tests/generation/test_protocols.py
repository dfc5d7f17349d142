"""The two protocols of generation: what they fill in, and that any key still has the last word."""

import pytest

from safeeraser import runs as config
from safeeraser.records import Example, Split, Stream
from safeeraser.runs import ConfigError


def example(stream: Stream) -> Example:
    return Example(id=stream.value, split=Split.VALIDATION, stream=stream, image=None, question="?", answer=".")


ONE_OF_EACH = [example(stream) for stream in Stream]


def asked(*overrides: str) -> dict[str, int]:
    """How many answers are made to an example of each stream."""
    settings = config.parse("", "run.yaml", [f"generate.{each}" for each in overrides]).generate
    keys = [request.key for request in settings.requests(ONE_OF_EACH)]
    return {stream.value: sum(name == stream for name, _ in keys) for stream in Stream}


def test_strict_is_greedy_and_asks_once() -> None:
    settings = config.parse("", "run.yaml").generate
    assert (settings.temperature, settings.top_p) == (0.0, 1.0)
    assert asked() == asked("protocol=strict") == {"forget": 1, "retain": 1, "decoupled": 1}


def test_paper_draws_as_the_authors_did() -> None:
    settings = config.parse("generate: {protocol: paper}", "run.yaml").generate
    assert (settings.temperature, settings.top_p, settings.max_new_tokens) == (1.0, 0.9, 512)
    assert asked("protocol=paper") == {"forget": 3, "retain": 1, "decoupled": 1}


def test_every_key_can_be_overridden() -> None:
    settings = config.parse("", "run.yaml", ["generate.protocol=paper", "generate.max_new_tokens=20"]).generate
    assert (settings.max_new_tokens, settings.temperature, settings.forget_samples) == (20, 1.0, 3)
    assert asked("protocol=paper", "forget_samples=5", "samples=2") == {"forget": 5, "retain": 2, "decoupled": 2}
    assert asked("temperature=1", "samples=2") == {"forget": 2, "retain": 2, "decoupled": 2}


def test_settings_that_were_kept_read_back_the_same() -> None:
    settings = config.parse("generate: {protocol: paper, top_p: 0.5}", "run.yaml")
    assert config.RunSettings.model_validate(settings.dump()) == settings


@pytest.mark.parametrize("overrides", [["samples=2"], ["protocol=paper", "temperature=0"]])
def test_several_greedy_answers_are_refused(overrides: list[str]) -> None:
    with pytest.raises(ConfigError, match="samples above 1 need a temperature above 0"):
        asked(*overrides)


def test_an_unknown_protocol_is_refused_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match="'strict' or 'paper'"):
        asked("protocol=papr")

"""How a run's configuration names its judge, and what of that its results depend on."""

from __future__ import annotations

from pathlib import Path

import pytest

from safeeraser.cli.names import names
from safeeraser.runs import ConfigError, RunSettings, first_difference, parse

ENDPOINT = "judge: {name: endpoint, model: m, url: http://one/v1, concurrency: 4}\n"


def settings(text: str, *overrides: str) -> RunSettings:
    return parse(text, "run.yaml", overrides, names())


def test_a_name_alone_is_kept_as_it_was() -> None:
    """So that a run begun before judges had keys goes on."""
    assert settings("").dump()["judge"] == settings("judge: rules").dump()["judge"] == "rules"
    assert first_difference(settings("failure_limit: 0.5").results(), settings("").results()) is None
    assert "judges" not in settings("").dump()


def test_only_what_verdicts_depend_on_tells_runs_apart() -> None:
    first = settings(ENDPOINT)
    again = settings(ENDPOINT, "judge.url=http://other/v1", "judge.timeout=5", "judge.cache=c.jsonl")
    assert first_difference(first.results(), again.results()) is None
    assert first.hash == again.hash
    assert first_difference(first.results(), settings(ENDPOINT, "judge.model=n").results()) is not None
    vote = settings("judges: [rules, {name: endpoint, model: m, url: http://one/v1}]")
    moved = settings("judges: [rules, {name: endpoint, model: m, url: http://two/v1}]")
    assert first_difference(vote.results(), moved.results()) is None
    assert (first.judge_name, vote.judge_name) == ("endpoint", "vote")
    assert settings("judges:\n- rules\n- {name: local, model: m}").dump()["judges"] == [
        "rules",
        {"name": "local", "model": "m"},
    ]


def test_all_problems_at_once_with_near_matches() -> None:
    with pytest.raises(ConfigError) as caught:
        settings("judge:\n  name: endpoint\n  modell: m\n  timeout: 0\n")
    lines = str(caught.value).splitlines()
    assert "run.yaml:1: judge.url: is needed" in lines
    assert "run.yaml:1: judge.model: is needed" in lines
    assert any(each.startswith("run.yaml:3: judge: unknown key 'modell'; did you mean 'model'") for each in lines)
    assert "run.yaml:4: judge.timeout: should be greater than 0, found 0" in lines
    with pytest.raises(ConfigError, match=r"run.yaml:1: judge.name: unknown judge 'endpont'; did you mean 'endpoint'"):
        settings("judge: endpont")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("judge: rules\njudges: [rules, rules+fluency]", "set judge, or judges to let several vote, not both"),
        ("judges: [rules]", "one cannot vote"),
        ("judges: [rules, {name: endpoint, modell: m}]", r"judges.1: unknown key 'modell'; did you mean 'model'"),
    ],
)
def test_one_judge_or_several(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        settings(text)


@pytest.mark.parametrize(
    ("judge", "message"),
    [
        ("{name: rules, model: m}", "judge: unknown key 'model'"),
        ("{name: local, model: m, url: http://one/v1}", "judge: unknown key 'url'"),
        ("{name: endpoint, model: m, url: http://me:secret@one/v1}", "judge.url: must be http"),
        ("{name: endpoint, model: m, url: http://one/v1, max_cost: 1}", "max_cost needs input_price and output_price"),
        ("{name: llama-guard, model: m, url: http://one/v1, batch_size: 2}", "batch_size: not with url"),
        ("{name: llama-guard, model: m, timeout: 3}", "timeout: only with url"),
        ("{name: rules+fluency, model: m}", "threshold: needed with model"),
        ("[rules]", "should be a judge's name, or a name with its keys"),
    ],
)
def test_keys_that_do_not_fit_the_judge_are_named_before_anything_starts(judge: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        settings(f"judge: {judge}")


def test_replies_are_kept_where_a_server_judges_and_no_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "replies.jsonl"
    assert settings(ENDPOINT).judge.keeping(file).cache == file
    assert settings(ENDPOINT, "judge.cache=mine.jsonl").judge.keeping(file).cache == Path("mine.jsonl")
    assert settings("").judge.keeping(file) == settings("").judge

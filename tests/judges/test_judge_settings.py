"""How a run's configuration names its judge, and what of that its results depend on."""

from __future__ import annotations

import pytest

from safeeraser.cli import judges, wiring
from safeeraser.errors import UserError
from safeeraser.runs import ConfigError, RunSettings, first_difference, parse

ENDPOINT = "judge: {name: endpoint, model: m, url: http://one/v1, concurrency: 4}\n"


def settings(text: str, *overrides: str) -> RunSettings:
    return parse(text, "run.yaml", overrides, wiring.names())


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
        settings("judge:\n  name: endpont\n  modell: m\n  timeout: 0\n")
    text = str(caught.value)
    assert "run.yaml:2: judge.name: unknown judge 'endpont'; did you mean 'endpoint'" in text
    assert "run.yaml:3: judge: unknown key 'modell'; did you mean 'model'" in text
    assert "run.yaml:4: judge.timeout" in text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("judge: rules\njudges: [rules, endpoint]", "set judge, or judges to let several vote, not both"),
        ("judges: [rules]", "one cannot vote"),
        ("judges: [rules, {name: endpoint, modell: m}]", "unknown key 'modell'; did you mean 'model'"),
    ],
)
def test_one_judge_or_several(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        settings(text)


def test_keys_that_do_not_fit_the_judge_are_named_before_anything_starts() -> None:
    with pytest.raises(UserError) as caught:
        judges.find(settings("judges: [{name: rules, model: m}, {name: endpoint, batch_size: 2}]"))
    needs_model, unfit, needs_url, none = sorted(str(caught.value).splitlines())
    assert needs_model == "judge endpoint: model is needed (model=...)"
    assert unfit.startswith("judge endpoint: unknown key 'batch_size'")
    assert needs_url == "judge endpoint: url is needed (url=...)"
    assert none == "judge rules: takes no key, such as model"

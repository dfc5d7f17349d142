"""What a sweep may try: read from YAML, and held against what the methods take."""

from __future__ import annotations

from pathlib import Path

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from safeeraser import runs
from safeeraser.cli.names import names
from safeeraser.errors import UserError
from safeeraser.runs import ConfigError, RunSettings
from safeeraser.runs.distributions import check_overrides, distributions, ends, with_parameters
from safeeraser.runs.kit import Kit
from safeeraser.unlearning.settings import UnlearnSettings
from tests.docs.generate import ROOT

SPACE = """
sweep:
  space:
    learning_rate: {low: 1e-4, high: 3e-3, log: true}
    first_token_weight: [1, 4, 1e1]
    lora_r: {low: 4, high: 16}
    options.refusal_weight: {low: 1, high: 16.0}
  methods_space:
    npo: {options.beta: [0.1, 0.5]}
"""


def parse(text: str, *overrides: str) -> RunSettings:
    return runs.parse(text, "sweep.yaml", overrides, names())


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_config_is_taken(path: Path) -> None:
    settings = runs.load(path, names=names())
    methods = Kit.of(settings).methods
    if settings.sweep.space:
        assert all(ends(settings, method) for method in methods)


def test_what_is_drawn_for_a_method() -> None:
    settings = parse(SPACE, "methods=[vanilla,po,npo]")
    common = {
        "learning_rate": FloatDistribution(1e-4, 3e-3, log=True),
        "first_token_weight": CategoricalDistribution((1, 4, 10.0)),
        "lora_r": IntDistribution(4, 16),
    }
    assert distributions(settings, "po") == common | {"options.refusal_weight": FloatDistribution(1.0, 16.0)}
    assert distributions(settings, "npo") == common | {"options.beta": CategoricalDistribution((0.1, 0.5))}


@pytest.mark.parametrize(
    "override",
    [
        "unlearn.learning_rate=0.1",
        "methods_settings.po.options.refusal_weight=2",
        "methods_settings.npo.options.beta=0.3",
        "unlearn.epochs=2",
    ],
)
def test_an_override_of_what_every_trial_draws_is_refused(override: str) -> None:
    settings = parse(SPACE.replace("lora_r:", "steps:"), "methods=[vanilla,po,npo]", override)
    with pytest.raises(ConfigError, match=r"changes nothing: every trial draws its own") as caught:
        check_overrides(settings, ["limits.retain=3", override])
    assert len(caught.value.problems) == 1


def test_an_override_that_one_method_draws_and_the_other_sets_is_refused() -> None:
    space = "{methods_space: {npo: {steps: [3, 4]}, po: {lora_r: [4]}}}"
    text = f"methods: [po, npo]\nmethods_settings: {{po: {{steps: 2}}}}\nsweep: {space}"
    settings = parse(text, "unlearn.steps=5")
    with pytest.raises(ConfigError, match=r"'unlearn\.steps=5': changes nothing"):
        check_overrides(settings, ["unlearn.steps=5"])


@pytest.mark.parametrize("override", ["unlearn.options.beta=0.3", "unlearn.lora_alpha=8", "sweep.trials=2"])
def test_an_override_that_a_sweep_uses_is_not_refused(override: str) -> None:
    check_overrides(parse(SPACE, "methods=[vanilla,npo,dpo]", override), [override])


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ("learning_rate: 3", "sweep.space.learning_rate: expected values, such as"),
        ("learning_rate: {low: 2, high: 1}", "sweep.space.learning_rate: low has to be below high, found 2 and 1"),
        ("learning_rate: {low: 0, high: 1, log: true}", "learning_rate: log needs low above 0"),
        ("learning_rate: {lwo: 1, high: 2}", "sweep.space.learning_rate: .*lwo.*did you mean 'low'"),
        ("learning_rate: []", "sweep.space.learning_rate: needs at least one value"),
        ("learning_rate: [1e-4, 1.0e-4]", "sweep.space.learning_rate: 0.0001 stands there twice"),
        ("steps: [0, 0]", "sweep.space.steps: 0 stands there twice"),
    ],
)
def test_what_is_no_range_is_told_with_its_key(space: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse(f"sweep: {{space: {{{space}}}}}")


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ("learnin_rate: [1]", "sweep.space.learnin_rate: unknown key of unlearn .*did you mean 'learning_rate'"),
        ("learning_rate: [-1, 1]", "sweep.space.learning_rate: -1: .*greater than 0"),
        ("options.refusl_weight: [1]", "sweep.space.options.refusl_weight: unknown option .*'refusal_weight'"),
        ("options.refusal_weight: [-1]", "sweep.space.options.refusal_weight: -1: .*must be 0 or more"),
        ("", "nothing to try for po"),
        ("steps: {low: 1, high: 3.0}", "sweep.space.steps: only whole numbers, so write low and high without a point"),
        ("learning_rate: [.inf, 0.1]", "sweep.space.learning_rate: inf: .*finite"),
        ("learning_rate: {low: 0.1, high: .inf}", "sweep.space.learning_rate: .*finite"),
        ("steps: [2], epochs: [1]", "sweep.space: po: .*set steps or epochs, not both"),
        ("objective: [rr]", "sweep.space.objective: not a hyper-parameter"),
        ("seed: [1, 2]", "sweep.space.seed: not a hyper-parameter"),
        ("save_minutes: [1, 2]", "sweep.space.save_minutes: not a hyper-parameter"),
        ("options: [{refusal_weight: 1}]", "sweep.space.options: not a hyper-parameter.*; write options.NAME"),
        ("batch_size: [1, true]", "sweep.space.batch_size: True: .*should be a number, found true"),
        ("learning_rate: [0.5, true]", "sweep.space.learning_rate: True: .*should be a number, found true"),
    ],
)
def test_what_a_method_does_not_take_is_told_before_anything_is_trained(space: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        ends(parse(f"sweep: {{space: {{{space}}}}}", "methods=[vanilla,po]"), "po")


def test_an_option_of_another_method_of_the_table_is_passed_over() -> None:
    settings = parse("sweep: {space: {options.anchor_weight: [1], steps: [2]}}", "methods=[vanilla,po]")
    assert list(distributions(settings, "po")) == ["steps"]


def test_parameters_take_the_place_of_what_the_settings_say() -> None:
    base = UnlearnSettings(epochs=2, options={"retain_weight": 2.0})
    made = with_parameters(base, {"steps": 7, "options.refusal_weight": 4.0})
    assert (made.steps, made.epochs) == (7, None)
    assert made.options == {"retain_weight": 2.0, "refusal_weight": 4.0}

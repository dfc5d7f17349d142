"""`methods`, `methods show`, and options of methods on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from safeeraser import runs as config
from safeeraser.cli import app
from safeeraser.cli.names import names
from safeeraser.errors import UserError
from safeeraser.objectives import METHODS
from safeeraser.runs.kit import Kit


def shown(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["methods", *arguments], prog_name="safeeraser", env={"COLUMNS": "400"})
    assert result.exit_code == 0, result.output
    return " ".join(result.stdout.split())


def kit(text: str, *overrides: str) -> None:
    Kit.of(config.parse(text, "run.yaml", overrides, names()))


def test_every_method_is_listed_with_its_formula() -> None:
    listed = shown()
    assert all(f"{name} {found['clean'].formula}" in listed for name, found in METHODS.items())


@pytest.mark.parametrize("name", METHODS)
def test_every_method_can_be_shown(name: str) -> None:
    text = shown("show", name)
    assert text.startswith(f"clean {METHODS[name]['clean'].formula}")
    assert ("paper options" in text) == ("paper" in METHODS[name])
    assert "arXiv" in text


def test_formula_options_and_source() -> None:
    text = shown("show", "npo+pd")
    assert "1 npo(forget) + 1 plain_nll(retain) + 1 nll(decoupled)" in text
    assert "-(2/beta) log sigmoid(-beta R), R = sum log(p_t / ref_t) (arXiv 2404.05868)" in text
    assert "beta=0.1, forget_weight=1, retain_weight=1, first_token_weight=1, decoupled_weight=1" in text
    assert "eps=(to be set), eta=1" in shown("show", "pdu")


def test_an_unknown_name_is_answered_with_near_ones() -> None:
    result = CliRunner().invoke(app, ["methods", "show", "simpno"], prog_name="safeeraser")
    assert result.exit_code == 2
    assert "unknown method 'simpno'; did you mean 'simnpo'" in result.stderr


def test_options_are_checked_before_anything_is_loaded(tmp_path: Path) -> None:
    arguments = ["unlearn", "--data", tmp_path, "--model", tmp_path, "--method", "npo", "--output", tmp_path / "out"]
    result = CliRunner().invoke(app, [str(each) for each in [*arguments, "options.bta=1"]], prog_name="safeeraser")
    assert result.exit_code == 2
    assert "npo: unknown option 'bta'; did you mean 'beta'" in result.stderr
    assert not (tmp_path / "out").exists()


def test_options_of_a_run() -> None:
    text = "methods: [npo, pdu]\nmethods_settings:\n  pdu: {options: {eps: 1.5}}\n"
    kit(text, "methods_settings.npo.options.beta=0.3")
    with pytest.raises(UserError, match="pdu: option eps has no default and has to be set"):
        kit("methods: [npo, pdu]")
    with pytest.raises(UserError, match="pdu: unknown option 'beta'"):
        kit(text, "unlearn.options.beta=0.3")
    with pytest.raises(UserError, match=r"override .*: unlearn\.options\.beta: should be a valid number, found 'x'"):
        kit(text, "unlearn.options.beta=x")


def test_the_options_of_one_method_replace_those_of_all_by_name() -> None:
    text = "unlearn: {options: {beta: 0.5, retain_weight: 2}}\nmethods_settings: {npo: {options: {beta: 0.2}}}"
    settings = config.parse(text, "run.yaml")
    assert settings.unlearning("npo").options == {"beta": 0.2, "retain_weight": 2}
    assert settings.unlearning("dpo").options == {"beta": 0.5, "retain_weight": 2}

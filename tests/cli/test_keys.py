"""KEY=VALUE for people: --help lists the keys, the shell completes them, `init` and `--print-config` write them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from safeeraser.cli import app
from safeeraser.runs import load


def run(*words: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [str(word) for word in words], prog_name="safeeraser")
    return result.exit_code, result.stdout, result.stderr


def completed(line: str) -> set[str]:
    """What bash offers behind the last word of the line."""
    words = line.split(" ")
    environment = {
        "_SAFEERASER_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    return set(CliRunner().invoke(app, [], prog_name="safeeraser", env=environment).stdout.split())


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["unlearn"], "learning_rate The highest learning rate of AdamW. [default: 0.0001]"),
        (["run"], "unlearn.lora_r Rank of LoRA. [default: 32]"),
        (["demo"], "limits.retain Harmless questions about harmful pictures."),
        (["generate"], "temperature 0 is greedy. [default: 0.0]"),
        (["evaluate"], "generate.temperature 0 is greedy. [default: 0.0]"),
        (["attack"], "judge.threshold Mean nats a token above which an answer is meaningless. (rules+fluency)"),
        (["judge"], "threshold Mean nats a token above which an answer is meaningless. (rules+fluency)"),
        (["agreement", "figures"], "max_cost What all requests may cost; needs the prices."),
        (["data", "build"], "images Harmful pictures: a folder of categories, or a list. [needed]"),
    ],
)
def test_help_lists_every_key_with_meaning_and_default(command: list[str], told: str) -> None:
    result = CliRunner().invoke(app, [*command, "--help"], prog_name="safeeraser", terminal_width=80)
    keys = result.stdout.partition("Keys:")[2]
    assert told in " ".join(keys.split())
    assert max(len(line) for line in keys.splitlines()) <= 80


@pytest.mark.parametrize(
    ("command", "key", "meant"),
    [
        ("run configs/methods.yaml", "max_new_tokens=4", "generate.max_new_tokens"),
        ("sweep configs/sweep.yaml", "max_new_tokens=4", "generate.max_new_tokens"),
        ("evaluate --data x --output y", "max_new_tokens=4", "generate.max_new_tokens"),
        ("attack --data x --output y", "max_new_tokens=4", "generate.max_new_tokens"),
        ("unlearn --data x --method po --output y", "unlearn.stepz=4", "steps"),
        ("generate --data x --output y", "generate.max_new_token=4", "max_new_tokens"),
    ],
)
def test_a_key_that_stands_elsewhere_is_told_by_every_command(command: str, key: str, meant: str) -> None:
    code, _, said = run(*command.split(), key)
    assert code == 2
    assert f"did you mean '{meant}'" in said


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("safeeraser unlearn learn", {"learning_rate=", "learning_rate=0.0001"}),
        ("safeeraser unlearn projector=s", {"projector=sine"}),
        ("safeeraser unlearn lora_", {"lora_r=", "lora_alpha=", "lora_dropout=", "lora_layers="}),
        (
            "safeeraser unlearn --method po+pd+kl+rec+sa",
            {f"po+pd+kl+rec+sam{end}" for end in ("", "+swa", "+soup", "+swa+soup")},
        ),
        ("safeeraser generate --format mm", {"mm_safetybench"}),
        ("safeeraser judge --judge rules", {"rules", "rules+fluency"}),
        ("safeeraser attack --attack pref", {"prefill"}),
        ("safeeraser attack generate.te", {"generate.temperature=", "generate.temperature=0.0"}),
        ("safeeraser logs --to i", {"inspect"}),
        ("safeeraser unlearn nothing", set()),
    ],
)
def test_the_shell_completes_names_and_keys(line: str, words: set[str]) -> None:
    assert completed(line) == words


def test_init_writes_a_configuration_that_is_the_demos_and_explains_itself(tmp_path: Path) -> None:
    file = tmp_path / "deeper" / "my first.yaml"
    assert run("init", file)[0] == 0
    settings = load(file)
    assert settings.name == "my-first"
    _, printed, _ = run("demo", "--print-config")
    assert settings.dump() | {"name": "demo"} == yaml.safe_load(printed)
    assert "# The highest learning rate of AdamW.\n  learning_rate: " in file.read_text(encoding="utf-8")


def test_init_replaces_nothing(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("name: mine\n", encoding="utf-8")
    code, _, said = run("init", file)
    assert (code, file.read_text(encoding="utf-8")) == (2, "name: mine\n")
    assert "exists already" in said


def test_print_config_shows_the_whole_and_runs_as_it_was_read(tmp_path: Path) -> None:
    file, printed = tmp_path / "run.yaml", tmp_path / "printed.yaml"
    file.write_text("unlearn: {options: {refusal_weight: 2}}\n", encoding="utf-8")
    changes = ["methods=po", "methods_settings.po.steps=3", "judge.name=endpoint", "judge.url=http://localhost/v1"]
    code, text, _ = run("run", file, *changes, "judge.model=m", "output=out/é", "--seed", 7, "--print-config")
    assert code == 0
    printed.write_text(text, encoding="utf-8")
    settings = load(printed)
    assert settings.hash == load(file, [*changes, "judge.model=m", "seed=7"]).hash
    assert (settings.methods, settings.seed, settings.generate.seed) == (("po",), 7, 7)
    assert yaml.safe_load(text)["unlearn"]["learning_rate"] == 1e-4
    assert text.isascii()  # whatever the terminal's encoding, what is sent to a file can be read
    assert not Path("out").exists()


def test_a_limited_demo_trains_in_proportion() -> None:
    whole, limited, own = (
        yaml.safe_load(run("demo", *words, "--print-config")[1])
        for words in ([], ["--limit", 8], ["--limit", 8, "unlearn.steps=7"])
    )
    largest = max(whole["limits"].values())
    assert set(limited["limits"].values()) == {8}
    assert limited["attack_limit"] == 8
    assert limited["unlearn"]["steps"] == pytest.approx(whole["unlearn"]["steps"] * 8 / largest, abs=1)
    assert limited["methods_settings"]["po"]["steps"] < limited["unlearn"]["steps"]
    assert own["unlearn"]["steps"] == 7
    assert yaml.safe_load(run("demo", "--limit", 10**6, "--print-config")[1])["unlearn"] == whole["unlearn"]

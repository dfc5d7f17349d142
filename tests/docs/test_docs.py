"""What the documentation says is what the code does."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer

from safeeraser import runs as config
from safeeraser.cli import app
from safeeraser.cli.names import names
from tests.docs.generate import PACKAGE, ROOT, command_paths, pages, tree

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```bash\n(.*?)^```", re.MULTILINE | re.DOTALL)


def test_generated_pages_are_up_to_date() -> None:
    stale = [str(page.relative_to(ROOT)) for page, text in pages().items() if page.read_text(encoding="utf-8") != text]
    assert not stale, f"run `make docs`: {', '.join(stale)}"


def test_the_tree_has_a_sentence_for_every_file() -> None:
    lines = [line.split(maxsplit=1) for line in tree().splitlines()[1:]]
    assert not [words[0] for words in lines if len(words) < 2 and not words[0].endswith("/")]
    modules = [path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py"]
    assert sum(words[0].endswith(".py") for words in lines) == len(modules)


def commands(page: Path) -> list[str]:
    """The lines of a page's bash blocks, without comments, prompts and continuation."""
    text = "\n".join(BLOCK.findall(page.read_text(encoding="utf-8"))).replace("\\\n", " ")
    return [line.partition(" #")[0].strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]


def examples() -> list[str]:
    """The examples in the help texts."""
    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8").replace("\\\n", " ")
    return re.findall(r"^    (safeeraser .*)$", text, re.MULTILINE)


SHOWN = sorted({line for page in PAGES for line in commands(page)} | set(examples()))


@pytest.mark.parametrize("line", [line for line in SHOWN if line.startswith("safeeraser ")])
def test_commands_shown_are_commands_understood(line: str) -> None:
    words = shlex.split(line.partition(" > ")[0])[1:]
    command, name = typer.main.get_command(app), "safeeraser"
    while hasattr(command, "commands") and words:
        assert words[0] in command.commands, f"{name} has no command {words[0]!r}"
        name = words.pop(0)
        command = command.commands[name]
    if words == ["--help"]:
        return
    context = command.make_context(name, words)
    given = context.params.get("given") or []
    section = f"{name}." if name in ("unlearn", "generate", "judge") else ""
    judge = [f"judge.name={context.params['judge'] or 'rules'}"] if name == "judge" else []
    config.parse("", line, [*judge, *(section + override for override in given)], names())


@pytest.mark.parametrize("line", [line for line in SHOWN if line.startswith("make ")])
def test_make_targets_shown_exist(line: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in line.split()[1:]:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"the Makefile has no target {target}"


def test_every_command_has_an_example() -> None:
    leaves = [path for path in command_paths() if not any(other[:-1] == path for other in command_paths())]
    shown = [tuple(example.split()) for example in examples()]
    missing = [" ".join(path) for path in leaves if not any(words[: len(path)] == path for words in shown)]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert not [target for target in targets if not (page.parent / target).exists()]


def test_the_packaged_configuration_is_valid() -> None:
    for path in sorted((PACKAGE / "configs").glob("*.yaml")):
        config.load(path, names=names())

"""The generated pages: docs/cli.md from --help, the defaults in docs/config.md, the trees of files and packages.

`make docs` writes them; the tests compare them with what they should be.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import typer
import yaml
from typer.testing import CliRunner

import safeeraser
from safeeraser.cli import app
from safeeraser.runs import RunSettings

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "safeeraser"


def pages() -> dict[Path, str]:
    """Every generated page with the text it should have."""
    return {
        ROOT / "docs" / "cli.md": cli_page(),
        ROOT / "docs" / "api.md": api_page(),
        ROOT / "docs" / "config.md": _filled(ROOT / "docs" / "config.md", "defaults", "yaml", defaults()),
        ROOT / "docs" / "architecture.md": _filled(ROOT / "docs" / "architecture.md", "tree", "text", tree()),
        ROOT / "README.md": _filled(ROOT / "README.md", "packages", "text", packages()),
    }


def cli_page() -> str:
    """Every command's --help."""
    sections = [f"## `{' '.join(path)}`\n\n```text\n{_help(path[1:])}\n```\n" for path in command_paths()]
    return "\n".join(["# The command line", "", "Made from `--help` by `make docs`.", "", *sections])


def api_page() -> str:
    """Every function of the Python API with its docstring."""
    functions = {name: getattr(safeeraser, name) for name in safeeraser.__all__}
    sections = [
        f"## `{name}`\n\n```python\n{_signature(name, function)}\n```\n\n{inspect.getdoc(function)}\n"
        for name, function in functions.items()
    ]
    head = [
        "# The Python API",
        "",
        "Made by `make docs` from the docstrings; an example: [python.md](python.md).",
        "",
    ]
    return "\n".join([*head, *sections])


def _signature(name: str, function: Callable[..., object]) -> str:
    """The signature as it is written, a parameter a line."""
    signature = re.sub(r"(: |-> )'([^']*)'", r"\1\2", str(inspect.signature(function)))  # annotations are strings
    inner, _, result = signature.removeprefix("(").rpartition(") -> ")
    parameters = re.split(r", (?=[\w*]+(?:$|:|, ))", inner)
    return "\n".join([f"{name}(", *(f"    {each}," for each in parameters), f") -> {result}"])


def command_paths() -> Iterator[tuple[str, ...]]:
    """Every command, groups included, as the words that call it."""
    pending = [(("safeeraser",), typer.main.get_command(app))]
    while pending:
        path, command = pending.pop(0)
        yield path
        inner = getattr(command, "commands", {}).items()
        pending += [((*path, name), each) for name, each in inner if not each.hidden]


def defaults() -> str:
    """A configuration file with every key at its default."""
    return yaml.safe_dump(RunSettings().dump(), sort_keys=False).rstrip()


def tree() -> str:
    """Every file of the package with the first sentence of its docstring (or first comment)."""
    lines = list(_tree(PACKAGE, 1))
    width = max(len(name) for name, _ in lines) + 2
    return "\n".join(["src/safeeraser/", *(f"{name:<{width}}{about}".rstrip() for name, about in lines)])


def packages() -> str:
    """The packages, each with the first clause of its docstring."""
    folders = sorted(path for path in PACKAGE.iterdir() if (path / "__init__.py").exists())
    return "\n".join([f"{each.name + '/':<13}{_about(each / '__init__.py')}" for each in folders])


def _tree(folder: Path, depth: int) -> Iterator[tuple[str, str]]:
    indent = "  " * depth
    for path in sorted(folder.iterdir(), key=lambda item: (item.is_dir(), item.name)):
        if path.name == "configs" or (path.is_dir() and any(path.rglob("*.py"))):
            initial = path / "__init__.py"
            yield f"{indent}{path.name}/", _about(initial) if initial.exists() else ""
            yield from _tree(path, depth + 1)
        elif path.suffix in (".py", ".yaml") and path.name != "__init__.py":
            yield f"{indent}{path.name}", _about(path)


def _about(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".yaml":
        return text.partition("\n")[0].removeprefix("#").strip()
    paragraph = " ".join((ast.get_docstring(ast.parse(text)) or "").partition("\n\n")[0].split())
    return re.split(r"(?<=[a-z)`])\. ", paragraph)[0].removesuffix(".")


def _help(path: tuple[str, ...]) -> str:
    result = CliRunner().invoke(
        app, [*path, "--help"], prog_name="safeeraser", terminal_width=100, max_content_width=100
    )
    assert result.exit_code == 0, result.output
    return "\n".join(line.rstrip() for line in result.output.rstrip().splitlines())


def _filled(page: Path, name: str, language: str, text: str) -> str:
    """The page with the block between its two markers replaced."""
    begin, end = f"<!-- {name}: made by `make docs` -->", f"<!-- {name}: end -->"
    before, _, rest = page.read_text(encoding="utf-8").partition(begin)
    _, found, after = rest.partition(end)
    assert found, f"{page} has no block {name}"
    return f"{before}{begin}\n```{language}\n{text}\n```\n{end}{after}"


if __name__ == "__main__":
    for page, content in pages().items():
        page.write_text(content, encoding="utf-8")

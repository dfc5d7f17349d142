"""The tables of docs/methods.md as they should be.

`python -m tests.objectives.page` writes them.
"""

from __future__ import annotations

import re
from pathlib import Path

from safeeraser.objectives import ADDITIONS, METHODS, NOTATION, Method, about

PAGE = Path(__file__).parents[2] / "docs" / "methods.md"


def expected(text: str) -> str:
    """The page with its tables made anew."""
    for name, part in (("methods", methods()), ("losses", losses()), ("presets", presets())):
        block = re.compile(rf"(<!-- {name}: [^>]*-->\n).*?(<!-- {name}: end -->)", re.DOTALL)
        assert block.search(text), f"no block for {name}"
        text = block.sub(lambda found, part=part: f"{found[1]}{part}\n{found[2]}", text)
    return text


def methods() -> str:
    """Every method without PD."""
    plain = {name: found["clean"] for name, found in METHODS.items() if not name.endswith("+pd")}
    rows = [[f"`{name}`", f"`{method.formula}`", options(method)] for name, method in plain.items()]
    return table(["method", "sum", "options"], rows)


def losses() -> str:
    """Every loss of the table and of what can be added to its methods, and what its formula means."""
    methods = [method for found in METHODS.values() for method in found.values()]
    added = [each.to(method) for method in methods for each in ADDITIONS.values() if not each.lacks(method)]
    terms = [term for method in (*methods, *added) for term in method.terms]
    told = {term.loss.__name__: about(term.loss) for term in terms}
    rows = [[f"`{name}`", f"`{each.formula}`", each.source] for name, each in told.items()]
    return f"{table(['loss', 'formula', 'source'], rows)}\n\n{NOTATION}."


def presets() -> str:
    """Every method of the authors' code, with their weights."""
    paper = {name: found["paper"] for name, found in METHODS.items() if "paper" in found}
    return table(["method", "paper"], [[f"`{name}`", f"`{method.formula}`"] for name, method in paper.items()])


def options(method: Method) -> str:
    """What a method's losses take, without the weights, which stand in the sum."""
    weights = {f"{term.name}_weight" for term in method.terms}
    values = {name: value for name, value in method.settings.items() if name not in weights}
    return ", ".join(f"{name} {'(to be set)' if value is None else f'{value:g}'}" for name, value in values.items())


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [head, [":---"] * len(head), *([cell.replace("||", "\\|\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


if __name__ == "__main__":
    PAGE.write_text(expected(PAGE.read_text(encoding="utf-8")), encoding="utf-8")

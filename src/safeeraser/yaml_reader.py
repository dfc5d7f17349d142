"""YAML that people write: whatever is wrong with it is one kind of error, with its line.

PyYAML lets errors of Python's own through (a 13th month, digits without end, nesting), and writes aliases out.
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterator
from typing import Any

import yaml

from safeeraser.errors import UserError

LEVELS = 50
"""Lists and keys within each other that a text may have."""
VALUES = 10_000
"""Values that a text may have, those of aliases counted wherever they stand."""
_NO_VALUE = (ValueError, OverflowError, KeyError, IndexError, AttributeError, TypeError)
# What PyYAML lets through of a text that its tag or look promises to be: dates and digits, digits beyond a float,
# words that are no bool, the first digit of none, a timestamp that does not match or is no text.


class YamlError(UserError):
    """Text that cannot be read; `problem` says why, and `line` where, if that is known."""

    def __init__(self, problem: str, mark: yaml.Mark | None) -> None:
        self.problem = problem
        self.line = mark.line + 1 if mark else None
        super().__init__(f"line {self.line}: {problem}" if mark else problem)

    def at(self, source: str) -> str:
        """The message for text from this place."""
        return f"{source}: {self.problem}" if self.line is None else f"{source}:{self.line}: {self.problem}"


class YamlText:
    """One document: its nodes, which know their lines, and the value that they stand for.

    Raises YamlError for text that is not YAML, and for what nobody writes by hand: see `LEVELS` and `VALUES`.
    """

    def __init__(self, text: str) -> None:
        try:
            self._loader = _Loader(text)
        except yaml.reader.ReaderError as error:
            raise YamlError(
                f"not YAML: {error.reason} (U+{error.character:04X})", _mark(text, error.position)
            ) from error
        try:
            self.root = self._loader.get_single_node()
        except RecursionError as error:
            raise YamlError(_too_deep(), self._loader.get_mark()) from error
        except yaml.MarkedYAMLError as error:
            raise YamlError(f"not YAML: {error.problem}", error.problem_mark) from error
        except (ValueError, OverflowError) as error:  # an escape beyond all characters, a version of too many digits
            raise YamlError(f"not YAML: {error}", self._loader.get_mark()) from error
        if self.root is not None:
            _measure(self.root, 0, {})

    def value(self) -> Any:
        """Lists, dictionaries and plain values; the nodes are used up."""
        try:
            return None if self.root is None else self._loader.construct_document(self.root)
        except yaml.MarkedYAMLError as error:
            raise YamlError(f"not YAML: {error.problem}", error.problem_mark) from error


def read_yaml(text: str) -> Any:
    """The value that a text stands for. Raises YamlError as `YamlText` does."""
    return YamlText(text).value()


class _Loader(yaml.SafeLoader):
    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """The same, with any value that cannot be made as an error of YAML with its line."""
        try:
            value = super().construct_object(node, deep=deep)
            if isinstance(value, int):
                str(value)  # a hexadecimal number may have more digits than Python writes out
        except _NO_VALUE as error:
            kind = node.tag.rpartition(":")[2]
            said = f"{reprlib.repr(node.value)} cannot be read as {kind}; in quotes it is text"
            raise yaml.constructor.ConstructorError(None, None, said, node.start_mark) from error
        return value


def _measure(node: yaml.Node, level: int, known: dict[yaml.Node, tuple[int, int]]) -> tuple[int, int]:
    """How many values a node stands for, and the levels they take; a node within itself has no end of levels."""
    size, levels = known.get(node, (0, 0))
    if level + levels > LEVELS:
        raise YamlError(_too_deep(), node.start_mark)
    if size:
        return size, levels
    inner = [_measure(each, level + 1, known) for each in _inner(node)]
    size = 1 + sum(count for count, _ in inner)
    if size > VALUES:
        raise YamlError(f"more than {VALUES:,} values, with aliases written out", node.start_mark)
    known[node] = size, 1 + max((each for _, each in inner), default=0)
    return known[node]


def _inner(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for pair in node.value:
            yield from pair
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def _too_deep() -> str:
    return f"more than {LEVELS} lists or keys within each other, or one within itself"


def _mark(text: str, position: int) -> yaml.Mark:
    return yaml.Mark("", position, text.count("\n", 0, position), 0, None, 0)

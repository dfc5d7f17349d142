"""Settings read from YAML text and `key=value` overrides, with all problems found reported at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from safeeraser.runs.settings import RunSettings
from safeeraser.settings import ConfigError, Key, Names, Settings, dotted, problems
from safeeraser.yaml_reader import YamlError, YamlText, read_yaml

Model = TypeVar("Model", bound=Settings)


def load(path: Path, overrides: Sequence[str] = (), names: Names | None = None) -> RunSettings:
    """Read one YAML file, apply `key=value` overrides (dotted keys, YAML values), and check the result.

    Relative paths in it are taken from the current folder.
    Raises ConfigError with all problems found: each names the file and line (or the override) and the key.
    """
    return parse(read_text(path), str(path), overrides, names)


def read_text(path: Path) -> str:
    """A configuration file's text. Raises ConfigError where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path}: not UTF-8 text"]) from error
    except OSError as error:
        raise ConfigError([f"{path}: {error.strerror}"]) from error


def parse(
    text: str,
    source: str,
    overrides: Sequence[str] = (),
    names: Names | None = None,
    options: Mapping[str, Any] | None = None,
) -> RunSettings:
    """The same as `load`, for text; `source` is what messages call it.

    `options` are values by dotted keys, such as a command's options: they come before the overrides, and None is not
    set.
    """
    return validated(RunSettings, text, source, overrides, names, options)


def as_yaml(settings: RunSettings) -> str:
    """Every setting with its value, to be read by `load`."""
    return yaml.safe_dump(settings.dump(), sort_keys=False, default_flow_style=None, width=100)


def key_of(override: str) -> Key:
    """Which key an override sets."""
    return tuple(override.partition("=")[0].strip().split("."))


def validated(
    kind: type[Model],
    text: str,
    source: str,
    overrides: Sequence[str] = (),
    names: Names | None = None,
    options: Mapping[str, Any] | None = None,
) -> Model:
    """Settings of any kind, from text, options and overrides as `parse` has them.

    Raises ConfigError with all problems found.
    """
    data, places, found = _read_yaml(text, source)
    for key, value in (options or {}).items():
        if value is not None:
            found += _put(key.split("."), value, "options", data, places)
    for override in overrides:
        found += _apply(override, data, places)
    try:
        settings = kind.model_validate(data, context=names)
    except ValidationError as error:
        found += [f"{places.of(key)}: {message}" for key, message in problems(error, kind)]
    else:
        found += _without_effect(settings, overrides)
    if found:
        raise ConfigError(found)
    return settings


@dataclass(slots=True)
class _Places:
    """Where each key was written: a line of the file, or an override."""

    source: str
    written: dict[Key, str]

    def of(self, key: Key) -> str:
        """The place of the key, or of the nearest thing around it."""
        inner = next((key[:end] for end in range(len(key), 0, -1) if key[:end] in self.written), None)
        return self.source if inner is None else self.written[inner]


def _read_yaml(text: str, source: str) -> tuple[dict[Any, Any], _Places, list[str]]:
    places = _Places(source, {})
    try:
        document = YamlText(text)
        twice = list(_locate(document.root, (), places))  # before merges are written out, which may repeat a key
        data = document.value()
    except YamlError as error:
        raise ConfigError([error.at(source)]) from error
    if data is None:
        return {}, places, []
    if not isinstance(data, dict):
        raise ConfigError([f"{source}: expected keys and values, found {type(data).__name__}"])
    return data, places, twice


def _locate(node: yaml.Node | None, key: Key, places: _Places) -> Iterator[str]:
    """Note the line of every key; yields a problem for each key written twice, of which YAML keeps the last."""
    if not isinstance(node, yaml.MappingNode):
        return
    for name, value in node.value:
        inner = (*key, str(name.value))
        line = name.start_mark.line + 1
        if inner in places.written:
            yield f"{places.source}:{line}: {dotted(inner)}: written twice (first at {places.written[inner]})"
            continue
        places.written[inner] = f"{places.source}:{line}"
        yield from _locate(value, inner, places)


def _apply(override: str, data: dict[Any, Any], places: _Places) -> list[str]:
    """Set one key in place; returns what is wrong with the override."""
    place = f"override {override!r}"
    *outer, last = key_of(override)
    _, equals, text = override.partition("=")
    if not equals or not all([*outer, last]):
        return [f"{place}: expected key=value, such as unlearn.epochs=2"]
    try:
        value = read_yaml(text)
    except YamlError as error:
        return [f"{place}: the value is {error.problem}"]
    return _put([*outer, last], value, place, data, places)


def _without_effect(settings: Settings, overrides: Sequence[str]) -> Iterator[str]:
    """A problem for each override that changes nothing: whoever gave it believes that it does."""
    for override in overrides:
        key = key_of(override)
        if why := settings.without_effect(key):
            yield f"override {override!r}: {dotted(key)}: changes nothing: {why}"


def _put(key: Sequence[str], value: Any, place: str, data: dict[Any, Any], places: _Places) -> list[str]:
    """Set one key in place, and note where it was written; returns what is wrong with it."""
    *outer, last = key
    for step in outer:
        if data.get(step) is None:
            data[step] = {}
        data = data[step]
        if not isinstance(data, dict):
            return [f"{place}: {step} has no keys of its own"]
    data[last] = value
    places.written[tuple(key)] = place
    return []

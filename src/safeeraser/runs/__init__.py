"""A run's settings: one YAML file and `key=value` overrides, checked whole before anything starts.

Settings are values only. Names (of methods, judges, ...) become objects in `kit`, nowhere else.
"""

from safeeraser.runs.identity import first_difference
from safeeraser.runs.settings import RunSettings
from safeeraser.runs.yaml import as_yaml, load, parse, read_text, validated
from safeeraser.settings import ConfigError

__all__ = [
    "ConfigError",
    "RunSettings",
    "as_yaml",
    "first_difference",
    "load",
    "parse",
    "read_text",
    "validated",
]

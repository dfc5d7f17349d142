"""A run's settings: one YAML file and `key=value` overrides, checked whole before anything starts.

Settings are values only. Names (of methods, judges, ...) become objects in the CLI, nowhere else.
"""

from safeeraser.runs.identity import first_difference
from safeeraser.runs.problems import ConfigError
from safeeraser.runs.settings import RunSettings
from safeeraser.runs.stages import DataSettings, GenerationSettings, Limits, UnlearningSettings
from safeeraser.runs.yaml import load, parse, read_text, validated

__all__ = [
    "ConfigError",
    "DataSettings",
    "GenerationSettings",
    "Limits",
    "RunSettings",
    "UnlearningSettings",
    "first_difference",
    "load",
    "parse",
    "read_text",
    "validated",
]

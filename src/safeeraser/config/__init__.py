"""A run's settings: one YAML file and `key=value` overrides, checked whole before anything starts.

Settings are values only. Names (of methods, judges, ...) become objects in the CLI, nowhere else.
"""

from safeeraser.config.base import ModelName, Names
from safeeraser.config.identity import first_difference
from safeeraser.config.problems import ConfigError
from safeeraser.config.reading import load, parse, read_text, validated
from safeeraser.config.run import RunSettings
from safeeraser.config.stages import DataSettings, GenerationSettings, JudgeSettings, Limits, UnlearningSettings

__all__ = [
    "ConfigError",
    "DataSettings",
    "GenerationSettings",
    "JudgeSettings",
    "Limits",
    "ModelName",
    "Names",
    "RunSettings",
    "UnlearningSettings",
    "first_difference",
    "load",
    "parse",
    "read_text",
    "validated",
]

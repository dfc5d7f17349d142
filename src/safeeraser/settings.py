"""What all settings are made of: frozen pydantic models whose problems are told in words that name the key."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Self, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from safeeraser.errors import UserError, unknown
from safeeraser.files import is_one_name
from safeeraser.records import LARGEST_SEED

Projector = Literal["frozen", "full", "lora", "sine"]
"""How the projector between vision tower and language model is trained."""
Preset = Literal["clean", "paper"]
"""Whose weights and averaging a method has: ours, or those of the SafeEraser authors' code (arXiv 2502.12520)."""

Wanted = Literal["rr", "sarr", "kept", "retain", "asr"]
"""What adapters and settings are chosen by: RR, SARR, answers kept, retain; ASR where refusing is not taught."""

Key = tuple[str, ...]
"""A key of settings and those around it, outermost first."""

_Init = TypeVar("_Init", bound=Callable[..., None])
_Item = TypeVar("_Item")
_SHORT = reprlib.Repr()
_SHORT.maxlevel = 2
_SHORT.maxstring = 60


class ConfigError(UserError):
    """Settings that cannot be used; `problems` holds every one found, each with its place and key."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(problems))


@dataclass(frozen=True, slots=True)
class Way:
    """Marks a key that changes how the work is done and not what is found."""


WAY = Way()


def _several(given: Any) -> Any:
    return given if isinstance(given, list | tuple) else [given]


Several = Annotated[tuple[_Item, ...], BeforeValidator(_several)]
"""A list, for which a single value may stand."""

Seed = Annotated[int, Field(ge=0, le=LARGEST_SEED)]
"""A seed that every library takes."""


def _validated_without(init: _Init) -> _Init:
    """Have pydantic make models inside of others without this `__init__`, so that errors keep their place."""
    vars(init)["__pydantic_base_init__"] = True
    return init


class Settings(BaseModel):
    """Values that are never changed; a key that does not exist is a problem.

    What a key means stands below it. Raises ConfigError with everything that is wrong.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)

    @_validated_without
    def __init__(self, /, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise ConfigError([text for _, text in problems(error, type(self))]) from error

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_for_a_number(cls, given: Any, info: ValidationInfo) -> Any:
        """YAML reads `yes` and `on` as true, and pydantic reads true as 1."""
        wanted = _scalars(cls.model_fields[info.field_name or ""].annotation)
        if isinstance(given, bool) and wanted & {int, float} and bool not in wanted:
            raise problem(f"should be a number, found {str(given).lower()}")
        return given

    @model_validator(mode="wrap")
    @classmethod
    def _tell(cls, given: Any, handler: ModelWrapValidatorHandler[Any]) -> Any:
        """Put what is wrong in our words."""
        try:
            return handler(given)
        except ValidationError as error:
            lines = [_told(cls, details) for details in error.errors(include_url=False)]
            raise ValidationError.from_exception_data(cls.__name__, lines) from error

    def changed(self, **changes: Any) -> Self:
        """These settings with some changed, and checked again. Raises ConfigError with everything that is wrong."""
        return type(self)(**{name: getattr(self, name) for name in self.model_fields_set} | changes)

    def without_effect(self, key: Key) -> str | None:
        """Why nothing depends on a key, be it given or not; None where something does, or where that is not known."""
        del key
        return None

    def results(self) -> dict[str, Any]:
        """The keys that a result depends on, as plain values: all but those marked as a `Way`."""
        plain, fields = self.model_dump(mode="json"), type(self).model_fields
        return {name: _results(value, plain[name]) for name, value in self if WAY not in fields[name].metadata}


def _scalars(annotation: Any) -> set[Any]:
    """The types that a field's annotation is made of, outside of lists and the like."""
    if get_origin(annotation) in (Union, UnionType):
        return set().union(*map(_scalars, get_args(annotation)))
    return _scalars(get_args(annotation)[0]) if get_origin(annotation) is Annotated else {annotation}


def _results(value: Any, plain: Any) -> Any:
    if isinstance(value, Settings):
        return value.results()
    return [_results(*pair) for pair in zip(value, plain, strict=True)] if isinstance(value, tuple) else plain


def problem(message: str) -> PydanticCustomError:
    """What a validator of ours raises: the message as it is to be shown."""
    return PydanticCustomError("told", "{message}", {"message": message})


def problems(error: ValidationError, kind: type[Settings]) -> Iterator[tuple[Key, str]]:
    """Which key of these settings is wrong, and the message that names it; the empty key stands for all settings.

    A key that does not exist may be one of another section: those of its name are told.
    """
    for details in error.errors(include_url=False):
        key = tuple(str(step) for step in details["loc"] if step != "[key]")
        named, message = key, details["msg"]
        if details["type"] == "unknown_key":
            others = (each for each in _all_keys(kind) if each != dotted(key))  # another judge may have it
            named, message = key[:-1], unknown("key", key[-1], details["ctx"]["known"], others)
        yield key, f"{dotted(named)}: {message}" if named else message


def _all_keys(kind: type[Settings], outer: Key = ()) -> Iterator[str]:
    """Every key of these settings and of those in them, of whichever subclass they may be."""
    for name, field in kind.model_fields.items():
        yield dotted((*outer, name))
        if isinstance(field.annotation, type) and issubclass(field.annotation, Settings):
            yield from _all_keys(field.annotation, (*outer, name))
    for each in kind.__subclasses__() if outer else ():
        yield from _all_keys(each, outer)


def dotted(key: Key) -> str:
    """The key as messages and overrides write it, such as `unlearn.epochs`."""
    return ".".join(key)


def _told(kind: type[BaseModel], details: ErrorDetails) -> InitErrorDetails:
    """An error of a model of this kind; those of models in it have been put in our words by them."""
    message = details["msg"].removeprefix("Input ").removeprefix("Value error, ")
    match details["type"]:
        case "told":
            error = problem(message)
        case "unknown_key":
            error = PydanticCustomError("unknown_key", "no such key", details["ctx"])
        case "extra_forbidden":
            error = PydanticCustomError("unknown_key", "no such key", {"known": tuple(kind.model_fields)})
        case "missing":
            error = problem("is needed")
        case _:
            error = problem(f"{message}, found {_SHORT.repr(details['input'])}")
    return InitErrorDetails(type=error, loc=details["loc"], input=details["input"])


@dataclass(frozen=True, slots=True)
class Described:
    """A key of settings for people: dotted name, meaning, default (as YAML) and choices, which may be none."""

    key: str
    about: str
    default: str | None
    choices: tuple[str, ...] = ()

    def __str__(self) -> str:
        """The meaning, with choices and default."""
        facts = ["needed"] if self.default is None else [f"default: {self.default}"] * (self.default != "null")
        facts += [f"one of {', '.join(self.choices)}"] if self.choices else []
        return f"{self.about}  [{'; '.join(facts)}]" if facts else self.about


def described(kind: type[Settings], outer: Key = (), defaults: Settings | None = None) -> Iterator[Described]:
    """Every key of these settings and of those in them, in order; `defaults` stand in the place of the fields' own."""
    for name, field in kind.model_fields.items():
        default = getattr(defaults, name) if defaults is not None else field.get_default()
        if isinstance(field.annotation, type) and issubclass(field.annotation, Settings):
            yield from described(field.annotation, (*outer, name), default if isinstance(default, Settings) else None)
        else:
            needed = defaults is None and field.is_required()
            choices = tuple(map(str, get_args(field.annotation))) if get_origin(field.annotation) is Literal else ()
            yield Described(
                dotted((*outer, name)), field.description or "", None if needed else in_yaml(default), choices
            )


def in_yaml(value: Any) -> str:
    """A value as an override writes it, on one line."""
    plain = list(value) if isinstance(value, tuple) else str(value) if isinstance(value, Path) else value
    return yaml.safe_dump(plain, default_flow_style=True, width=float("inf")).removesuffix("...\n").strip()


def _one_name(name: str) -> str:
    if not is_one_name(name):
        raise problem(f"{name!r} cannot be the name of a folder")
    return name


FolderName = Annotated[str, AfterValidator(_one_name)]
"""A string that names a folder or file of ours, and leads nowhere else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What tells the names that settings may use; asked only where one is looked up, for that may take seconds.

    A kind of which no names are told is left unchecked.
    """

    attacks: Callable[[], tuple[str, ...]] = tuple
    benchmarks: Callable[[], tuple[str, ...]] = tuple
    methods: Callable[[], tuple[str, ...]] = tuple
    models: Callable[[], tuple[str, ...]] = tuple


def known(field: str, kind: str) -> AfterValidator:
    """A validator that looks a name up in the `Names` given as context."""

    def check(name: str, info: ValidationInfo) -> str:
        names: tuple[str, ...] = getattr(info.context, field, tuple)()
        if names and name not in names:
            raise problem(unknown(kind, name, names))
        return name

    return AfterValidator(check)


def _model(name: str, info: ValidationInfo) -> str:
    """A model is one of ours, a folder, or a hub id (`owner/name`)."""
    names: tuple[str, ...] = getattr(info.context, "models", tuple)()
    if not names or name in names or "/" in name or Path(name).is_dir():
        return name
    raise problem(f"{unknown('model', name, names)}, or a folder, or a hub id such as llava-hf/llava-1.5-7b-hf")


ModelName = Annotated[str, AfterValidator(_model)]
"""A string that names a model."""

"""A run's settings: one YAML file and `key=value` overrides, checked whole before anything starts.

Settings are values only. Names (of methods, judges, ...) become objects in the CLI, nowhere else.
"""

from __future__ import annotations

import hashlib
import json
import reprlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar, get_args, get_origin

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from safeeraser.errors import UserError, unknown
from safeeraser.records import VANILLA

_OWN = ("unknown_name", "samples", "methods", "length", "together")  # messages of ours, which say what was found

_SHORT = reprlib.Repr()
_SHORT.maxlevel = 2
_SHORT.maxstring = 60


class ConfigError(UserError):
    """Settings that cannot be used; `problems` holds every one found, each with its place and key."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(problems))


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The names that settings may use, as the CLI knows them. An empty tuple leaves that kind unchecked."""

    benchmarks: tuple[str, ...] = ()
    judges: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    models: tuple[str, ...] = ()


def _known(field: str, kind: str) -> AfterValidator:
    """A validator that looks a name up in the `Names` given as context."""

    def check(name: str, info: ValidationInfo) -> str:
        known = getattr(info.context, field, ())
        if known and name not in known:
            raise PydanticCustomError("unknown_name", "{message}", {"message": unknown(kind, name, known)})
        return name

    return AfterValidator(check)


def _model(name: str, info: ValidationInfo) -> str:
    """A model is one of ours, a folder, or a hub id (`owner/name`)."""
    known = getattr(info.context, "models", ())
    if not known or name in known or "/" in name or Path(name).is_dir():
        return name
    message = f"{unknown('model', name, known)}, or a folder, or a hub id such as llava-hf/llava-1.5-7b-hf"
    raise PydanticCustomError("unknown_name", "{message}", {"message": message})


ModelName = Annotated[str, AfterValidator(_model)]


def _each_once(names: tuple[str, ...]) -> tuple[str, ...]:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice or not names:
        message = f"{', '.join(twice)} listed twice" if twice else "at least one is needed"
        raise PydanticCustomError("methods", "{message}", {"message": message})
    return names


_Method = Annotated[str, _known("methods", "method")]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DataSettings(_Settings):
    """Where the examples come from. An embedded benchmark is built at `path` if it is not there yet."""

    benchmark: Annotated[str, _known("benchmarks", "benchmark")] = "icons"
    path: Path | None = None
    scale: float = Field(default=1.0, gt=0, le=1)
    seed: int = 233

    @property
    def folder(self) -> Path:
        """The data's folder; unless given, one per benchmark, scale and seed, so that runs share it."""
        return self.path or Path("data") / f"{self.benchmark}-x{self.scale:g}-s{self.seed}"


_PAPER = {"temperature": 1.0, "top_p": 0.9, "forget_samples": 3, "max_new_tokens": 512}  # arXiv 2502.12520


class GenerationSettings(_Settings):
    """How answers are generated, as `generate.GenerateSettings`; temperature 0 is greedy. The seed is the run's.

    `protocol` sets what is not set here: "strict" is greedy and makes one answer a question; "paper" draws answers as
    the authors of SafeEraser did, three to each harmful question about a harmful picture.
    """

    protocol: Literal["strict", "paper"] = "strict"
    batch_size: int = Field(default=32, ge=1)
    max_new_tokens: int = Field(default=64, ge=1)
    samples: int = Field(default=1, ge=1)
    forget_samples: int | None = Field(default=None, ge=1)
    temperature: float = Field(default=0.0, ge=0)
    top_p: float = Field(default=1.0, gt=0, le=1)

    @model_validator(mode="before")
    @classmethod
    def _filled(cls, given: Any) -> Any:
        paper = isinstance(given, Mapping) and given.get("protocol") == "paper"
        return _PAPER | dict(given) if paper else given

    @model_validator(mode="after")
    def _greedy_is_one_sample(self) -> Self:
        for name in ("samples", "forget_samples"):
            if self.temperature == 0 and (getattr(self, name) or 1) > 1:
                message = f"{name} above 1 need a temperature above 0: greedy answers are equal"
                raise PydanticCustomError("samples", "{message}", {"message": message})
        return self


class Limits(_Settings):
    """How many examples of each part are asked; None asks them all."""

    efficacy: int | None = Field(default=None, ge=1)
    generality: int | None = Field(default=None, ge=1)
    decoupled: int | None = Field(default=None, ge=1)
    retain: int | None = Field(default=None, ge=1)


class UnlearningSettings(_Settings):
    """The training settings of every method, the same as `unlearn.UnlearnSettings`, which says what they mean.

    The seed is the run's. `methods_settings` changes some of them for one method. `safeeraser methods show NAME` lists
    a method's `options`.
    """

    steps: int | None = Field(default=None, ge=1)
    epochs: float | None = Field(default=None, gt=0)
    batch_size: int = Field(default=8, ge=1)
    accumulation: int = Field(default=1, ge=1)
    learning_rate: float = Field(default=1e-4, gt=0)
    weight_decay: float = Field(default=0.01, ge=0)
    warmup_ratio: float = Field(default=0.06, ge=0, lt=1)
    lr_scheduler: Literal["cosine", "linear", "constant", "constant_with_warmup"] = "cosine"
    max_grad_norm: float = Field(default=1.0, ge=0)
    lora_r: int = Field(default=32, ge=1)
    lora_alpha: float = Field(default=64.0, gt=0)
    lora_dropout: float = Field(default=0.05, ge=0, lt=1)
    lora_layers: int | None = Field(default=None, ge=1)
    projector: Literal["frozen", "full", "lora", "sine"] = "frozen"
    preset: Literal["clean", "paper"] = "clean"
    first_token_weight: float = Field(default=1.0, gt=0)
    options: dict[str, Annotated[float, Field(strict=True)]] = {}
    save_steps: int | None = Field(default=None, ge=1)
    limit: int | None = Field(default=None, ge=1)
    gradient_checkpointing: bool = False
    stop_forget_nll: float | None = Field(default=None, gt=0)
    eval_steps: int | None = Field(default=None, ge=1)
    eval_rows: int = Field(default=64, ge=1)
    patience: int | None = Field(default=None, ge=1)
    report_to: tuple[str, ...] = ()
    gradient_mask: float | None = Field(default=None, gt=0)
    gradient_mask_rows: int = Field(default=64, ge=1)

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if self.steps is not None and self.epochs is not None:
            raise PydanticCustomError("length", "set steps or epochs, not both")
        return self

    def changed_by(self, other: UnlearningSettings) -> UnlearningSettings:
        """These settings with what the other sets; its steps replace our epochs, and its epochs our steps.

        Of `options` it replaces those that it names.
        """
        changes = {key: getattr(other, key) for key in other.model_fields_set}
        changes["options"] = self.options | other.options
        length = {"steps": None, "epochs": None} if changes.keys() & {"steps", "epochs"} else {}
        return self.model_copy(update=length | changes)


class JudgeSettings(_Settings):
    """Who judges, and how: a name alone, or with the keys that this judge takes (docs/judging.md).

    The keys from `url` on, and `batch_size`, change how the work is done, not what is found.
    """

    name: Annotated[str, _known("judges", "judge")] = "rules"
    model: str | None = None
    revision: str | None = None
    images: bool = False
    max_tokens: int = Field(default=256, ge=1)
    temperature: float | None = Field(default=0.0, ge=0)
    batch_size: int = Field(default=8, ge=1)
    url: str | None = None
    key_variable: str = "OPENAI_API_KEY"
    concurrency: int = Field(default=8, ge=1)
    requests_per_minute: int | None = Field(default=None, ge=1)
    timeout: float = Field(default=60.0, gt=0)
    attempts: int = Field(default=5, ge=1)
    input_price: float = Field(default=0.0, ge=0)
    output_price: float = Field(default=0.0, ge=0)
    max_cost: float | None = Field(default=None, gt=0)
    cache: Path | None = None

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, given: Any) -> Any:
        return {"name": given} if isinstance(given, str) else given

    @property
    def given(self) -> dict[str, Any]:
        """The keys that were set besides the name, as plain values."""
        return self.model_dump(mode="json", exclude_unset=True, exclude={"name"})

    def dump(self) -> str | dict[str, Any]:
        """The name, with the keys that were set if any were."""
        return {"name": self.name, **self.given} if self.given else self.name


_WAYS_TO_JUDGE = ("batch_size", *list(JudgeSettings.model_fields)[list(JudgeSettings.model_fields).index("url") :])
"""Keys of a judge that change no verdict."""


class RunSettings(_Settings):
    """Everything a run depends on.

    Name, output folder, failure limit and the way to a judge change no result.
    """

    name: str = Field(default="run", pattern=r"^[\w.+-]+$")
    seed: int = Field(default=233, ge=0)
    model: ModelName = "tiny"
    dtype: Literal["auto", "float32", "bfloat16", "float16", "nf4"] = "auto"
    data: DataSettings = DataSettings()
    methods: Annotated[tuple[_Method, ...], AfterValidator(_each_once)] = (VANILLA, "po", "po+pd")
    unlearn: UnlearningSettings = UnlearningSettings()
    methods_settings: dict[_Method, UnlearningSettings] = {}
    generate: GenerationSettings = GenerationSettings()
    limits: Limits = Limits()
    judge: JudgeSettings = JudgeSettings()
    judges: tuple[JudgeSettings, ...] = ()
    failure_limit: float = Field(default=0.02, ge=0, le=1)
    output: Path | None = None

    @model_validator(mode="after")
    def _one_judge_or_several(self) -> Self:
        if self.judges and "judge" in self.model_fields_set:
            raise PydanticCustomError("together", "set judge, or judges to let several vote, not both")
        if len(self.judges) == 1:
            raise PydanticCustomError("together", "judges: one cannot vote; set judge, or list several")
        return self

    @model_validator(mode="after")
    def _evaluations_fit(self) -> Self:
        for method in (name for name in self.methods if name != VANILLA):
            made = self.unlearning(method)
            if made.patience is not None and made.eval_steps is None:
                raise PydanticCustomError("together", "patience counts evaluations: set eval_steps as well")
            if made.eval_steps is not None and made.save_steps not in (None, made.eval_steps):
                raise PydanticCustomError("together", "eval_steps makes a checkpoint each time: leave save_steps out")
        return self

    @property
    def folder(self) -> Path:
        """The run folder: `output`, or one named after the run."""
        return self.output or Path("runs") / self.name

    @property
    def judge_name(self) -> str:
        """The name of who judges, without its version: several judges are a vote."""
        return "vote" if self.judges else self.judge.name

    def unlearning(self, method: str) -> UnlearningSettings:
        """The training settings of one method: `unlearn`, changed by what `methods_settings` sets for it.

        Where neither steps nor epochs are set, it is one epoch.
        """
        settings = self.unlearn.changed_by(self.methods_settings.get(method, UnlearningSettings()))
        return settings if settings.steps or settings.epochs else settings.model_copy(update={"epochs": 1.0})

    def dump(self) -> dict[str, Any]:
        """All settings as plain values, as they are kept in the run folder."""
        settings = self.model_dump(mode="json", exclude={"methods_settings", "judge", "judges"})
        settings |= {"judges": [each.dump() for each in self.judges]} if self.judges else {"judge": self.judge.dump()}
        changes = {
            name: item.model_dump(mode="json", exclude_unset=True) for name, item in self.methods_settings.items()
        }
        return settings | {"methods_settings": changes}

    @property
    def hash(self) -> str:
        """Equal for runs whose results must be equal: sha256 of the settings that matter, 16 hex digits."""
        text = json.dumps(_what_matters(self.dump()), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def first_difference(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> tuple[str, Any, Any] | None:
    """The first key (dotted) in which two dumps differ where it matters, with both values; None if they agree."""
    here, there = (dict(_leaves(_what_matters(settings))) for settings in (ours, theirs))
    for key in [*here, *there]:
        if here.get(key) != there.get(key):
            return key, here.get(key), there.get(key)
    return None


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


def parse(text: str, source: str, overrides: Sequence[str] = (), names: Names | None = None) -> RunSettings:
    """The same as `load`, for text; `source` is what messages call it."""
    return validated(RunSettings, text, source, overrides, names)


Model = TypeVar("Model", bound=BaseModel)


def validated(
    kind: type[Model], text: str, source: str, overrides: Sequence[str] = (), names: Names | None = None
) -> Model:
    """Settings of any kind, from text and overrides as `parse` has them. Raises ConfigError with all problems found."""
    data, places, problems = _read_yaml(text, source)
    for override in overrides:
        problems += _apply(override, data, places)
    try:
        settings = kind.model_validate(data, context=names)
    except ValidationError as error:
        problems += [_describe(kind, details, places) for details in error.errors(include_url=False)]
    if problems:
        raise ConfigError(problems)
    return settings


_Key = tuple[str, ...]


@dataclass(slots=True)
class _Places:
    """Where each key was written: a line of the file, or an override."""

    source: str
    written: dict[_Key, str]

    def of(self, key: _Key) -> str:
        """The place of the key, or of the nearest thing around it."""
        inner = next((key[:end] for end in range(len(key), 0, -1) if key[:end] in self.written), None)
        return self.source if inner is None else self.written[inner]


def _read_yaml(text: str, source: str) -> tuple[dict[Any, Any], _Places, list[str]]:
    places = _Places(source, {})
    try:
        data = yaml.safe_load(text)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigError([f"{source}{line}: not YAML: {error.problem}"]) from error
    except yaml.YAMLError as error:
        raise ConfigError([f"{source}: not YAML: {error}"]) from error
    if data is None:
        return {}, places, []
    if not isinstance(data, dict):
        raise ConfigError([f"{source}: expected keys and values, found {type(data).__name__}"])
    return data, places, list(_locate(root, (), places))


def _locate(node: yaml.Node | None, key: _Key, places: _Places) -> Iterator[str]:
    """Note the line of every key; yields a problem for each key written twice, of which YAML keeps the last."""
    if not isinstance(node, yaml.MappingNode):
        return
    for name, value in node.value:
        inner = (*key, str(name.value))
        line = name.start_mark.line + 1
        if inner in places.written:
            yield f"{places.source}:{line}: {_dotted(inner)}: written twice (first at {places.written[inner]})"
            continue
        places.written[inner] = f"{places.source}:{line}"
        yield from _locate(value, inner, places)


def _apply(override: str, data: dict[Any, Any], places: _Places) -> list[str]:
    """Set one key in place; returns what is wrong with the override."""
    place = f"override {override!r}"
    name, equals, text = override.partition("=")
    *outer, last = name.strip().split(".")
    if not equals or not all([*outer, last]):
        return [f"{place}: expected key=value, such as unlearn.epochs=2"]
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        return [f"{place}: the value is not YAML"]
    for step in outer:
        if data.get(step) is None:
            data[step] = {}
        data = data[step]
        if not isinstance(data, dict):
            return [f"{place}: {step} has no keys of its own"]
    data[last] = value
    places.written[(*outer, last)] = place
    return []


def _describe(kind: type[BaseModel], details: ErrorDetails, places: _Places) -> str:
    """One of pydantic's findings in our words."""
    key = tuple(str(step) for step in details["loc"] if step != "[key]")
    if details["type"] == "extra_forbidden":
        around = f"{_dotted(key[:-1])}: " if key[:-1] else ""
        return f"{places.of(key)}: {around}{unknown('key', key[-1], _keys_at(kind, key[:-1]))}"
    message = details["msg"].removeprefix("Input ").removeprefix("Value error, ")
    found = "" if details["type"] in _OWN else f", found {_SHORT.repr(details['input'])}"
    return f"{places.of(key)}: {_dotted(key)}: {message}{found}"


def _keys_at(kind: Any, key: _Key) -> Iterable[str]:
    """The keys that settings of this kind have at this place."""
    for step in key:
        kind = kind.model_fields[step].annotation if hasattr(kind, "model_fields") else _inside(kind)
    return list(kind.model_fields)


def _inside(kind: Any) -> Any:
    """What a mapping or a tuple holds."""
    return get_args(kind)[1 if get_origin(kind) is dict else 0]


def _dotted(key: _Key) -> str:
    return ".".join(map(str, key))


def _what_matters(settings: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in settings.items() if key not in ("name", "output", "failure_limit")}
    for key in kept.keys() & {"judge", "judges"}:
        found = kept[key]
        kept[key] = [_who(each) for each in found] if isinstance(found, list) else _who(found)
    return kept


def _who(judge: Any) -> Any:
    """What verdicts depend on: the name alone stays as it is, so that runs from before there were keys go on."""
    if not isinstance(judge, Mapping):
        return judge
    kept = {key: value for key, value in judge.items() if key not in _WAYS_TO_JUDGE}
    return kept if len(kept) > 1 else kept.get("name")


def _leaves(value: Any, key: _Key = ()) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _leaves(inner, (*key, name))
    else:
        yield _dotted(key), value

"""The settings of a whole run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from safeeraser.attacks.settings import AttackSettings
from safeeraser.benchmarks.settings import DataSettings, Limits, OtherData
from safeeraser.errors import unknown
from safeeraser.generation.settings import GenerateSettings
from safeeraser.judges.settings import JudgeSettings
from safeeraser.judges.table import AnyJudge
from safeeraser.judges.table import settings as judge_settings
from safeeraser.provenance import text_hash
from safeeraser.records import VANILLA
from safeeraser.runs.space import SweepSettings
from safeeraser.settings import WAY, FolderName, Key, ModelName, Seed, Settings, Several, dotted, known, problem
from safeeraser.unlearning.settings import LENGTH, UnlearnSettings


def _at(settings: UnlearnSettings, key: Sequence[str]) -> Any:
    """What stands at a key of them; of several values at once (`options`) nothing can be told."""
    found: Any = settings.model_dump()
    for step in key:
        found = found.get(step) if isinstance(found, Mapping) else None
    return None if isinstance(found, Mapping) else found


def _each_once(names: tuple[str, ...]) -> tuple[str, ...]:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice or not names:
        raise problem(f"{', '.join(twice)} listed twice" if twice else "at least one is needed")
    return names


_Method = Annotated[FolderName, known("methods", "method")]
_SEED = TypeAdapter(Seed)
_SEEDED = ("unlearn", "generate")  # sections that have the run's seed unless they set their own


class Chosen(Settings):
    """What a sweep has chosen, as it stands in choice.yaml; `run` checks it."""

    time: str
    """When the choice was written down."""
    sweep: str
    """The sweep's folder."""
    data: str
    """The hash of the data."""
    weights: str | None = None
    """What tells the model's weights from others."""
    judge: str | None = None
    """What tells who judged from others."""
    hashes: dict[str, str]
    """By method the hash of the settings that were chosen."""
    objective: dict[str, Annotated[float, Field(strict=True)]]
    """By method what its best trial had on the selection part, 0 to 1."""


class RunSettings(Settings):
    """Everything a run depends on."""

    name: Annotated[FolderName, WAY] = Field(default="run", pattern=r"^[\w.+-]+$")
    """Names the run's folder, runs/<name>, unless output is set."""
    seed: Seed = 233
    """Seed of training, of sampling, and of the choice of questions."""
    model: ModelName = "tiny"
    """tiny, a folder, or a hub id."""
    dtype: Literal["auto", "float32", "bfloat16", "float16", "nf4"] = "auto"
    """Precision of the weights: auto is bfloat16 where the machine is quick at it; nf4 is QLoRA's, on a GPU."""
    data: DataSettings = DataSettings()
    """Where the examples come from."""
    methods: Annotated[Several[_Method], AfterValidator(_each_once)] = (VANILLA, "po", "po+pd")
    """What is measured: vanilla is the model before unlearning; `safeeraser methods` lists the others."""
    unlearn: UnlearnSettings = UnlearnSettings()
    """How every method is trained."""
    methods_settings: dict[_Method, UnlearnSettings] = Field(default={})
    """What is different for one method: keys of unlearn."""
    generate: GenerateSettings = GenerateSettings()
    """How answers are made."""
    limits: Limits = Limits()
    """How many questions are asked."""
    judge: AnyJudge = judge_settings("rules")
    """Who judges the answers: a name, or a name with its keys; `safeeraser judges` lists them."""
    judges: Several[AnyJudge] = ()
    """Several of them, to let them vote; instead of judge."""
    also: Annotated[Several[OtherData], WAY] = ()
    """Other data that every model is asked about too: names, or keys of data, and the parts that are asked; each in
    also/<benchmark> of the run. A sweep asks their selection part."""
    attacks: Annotated[Several[AttackSettings], WAY] = ()
    """What is tried afterwards to bring back what was unlearned: names, or names with the points of their sweep."""
    attack_limit: Annotated[int, WAY] = Field(default=48, ge=1)
    """How many questions of each side every attack asks."""
    attack_models: Annotated[Several[str], WAY] = ()
    """Which of the methods are attacked; all of them unless given. Keep vanilla: it is the control."""
    failure_limit: Annotated[float, WAY] = Field(default=0.02, ge=0, le=1)
    """The share of verdicts a judge may fail on before the run ends with exit code 3."""
    sweep: Annotated[SweepSettings, WAY] = SweepSettings()
    """What `safeeraser sweep` tries; a run does not read it."""
    chosen: Annotated[Chosen | None, WAY] = None
    """What `safeeraser sweep` has chosen, and when; a run checks that nothing was changed afterwards."""
    output: Annotated[Path | None, WAY] = None
    """The run's folder."""

    @model_validator(mode="before")
    @classmethod
    def _one_seed(cls, given: Any) -> Any:
        """Give the stages the run's seed where it is a good one: a bad one is told once."""
        try:
            seed = _SEED.validate_python(given["seed"])
        except (ValidationError, LookupError, TypeError):  # a bad one, none, or no keys at all
            return given
        sections = {name: given.get(name, {}) for name in _SEEDED}
        plain = {name: keys for name, keys in sections.items() if isinstance(keys, Mapping)}
        return {**given, **{name: {"seed": seed, **keys} for name, keys in plain.items()}}

    @field_validator("methods_settings", mode="before")
    @classmethod
    def _changes(cls, given: Any, info: ValidationInfo) -> Any:
        """Settings of a method are those of `unlearn` with what it changes."""
        common = info.data.get("unlearn", UnlearnSettings())
        if not isinstance(given, Mapping):
            return given
        plain = {name: keys.given() if isinstance(keys, UnlearnSettings) else keys for name, keys in given.items()}
        return {name: common.merged(keys) if isinstance(keys, Mapping) else keys for name, keys in plain.items()}

    @model_validator(mode="after")
    def _attacked_models_are_measured(self) -> Self:
        for name in self.attack_models:
            if name not in self.methods:
                raise problem(f"attack_models: {unknown('method', name, self.methods)}")
        return self

    @model_validator(mode="after")
    def _other_data_once(self) -> Self:
        names = [data.benchmark for data in (self.data, *self.also)]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise problem(f"also: {', '.join(twice)} is asked about already")
        return self

    @model_validator(mode="after")
    def _one_judge_or_several(self) -> Self:
        if self.judges and "judge" in self.model_fields_set:
            raise problem("set judge, or judges to let several vote, not both")
        if len(self.judges) == 1:
            raise problem("judges: one cannot vote; set judge, or list several")
        return self

    @property
    def folder(self) -> Path:
        """The run folder: `output`, or one named after the run."""
        return self.output or Path("runs") / self.name

    @property
    def all_judges(self) -> tuple[JudgeSettings, ...]:
        """Who judges: one, or several that vote."""
        return self.judges or (self.judge,)

    @property
    def judge_name(self) -> str:
        """The name of who judges, without its version: several judges are a vote."""
        return "vote" if self.judges else self.judge.name

    def asking(self, other: OtherData) -> Self:
        """The settings under which these models are asked about other data, in a folder of their own in the run's."""
        data = DataSettings(**other.model_dump(include={*DataSettings.model_fields}))
        folder = self.folder / "also" / other.benchmark
        return self.model_copy(update={"data": data, "output": folder, "also": (), "attacks": (), "attack_models": ()})

    def unlearning(self, method: str) -> UnlearnSettings:
        """The training settings of one method: `unlearn`, changed by what `methods_settings` sets for it."""
        return self.methods_settings.get(method, self.unlearn)

    def without_effect(self, key: Key) -> str | None:
        """Of a key of `unlearn` that every method sets for itself, or of the settings of a method that is not run."""
        section, *inner = key
        trained = [name for name in self.methods if name != VANILLA]
        if section == "methods_settings" and inner and inner[0] not in trained:
            return f"{inner[0]} is not one of the methods that are trained ({', '.join(trained) or 'none'})"
        if section != "unlearn" or not inner or not trained or not all(self.has_own(name, inner) for name in trained):
            return None
        if inner[0] in LENGTH:
            inner = [each for each in LENGTH if getattr(self.unlearning(trained[0]), each) is not None]
        return f"every method has its own, such as {dotted(('methods_settings', trained[0], *inner))}"

    def has_own(self, method: str, key: Sequence[str]) -> bool:
        """Whether a method has another value at a key of `unlearn` than that has."""
        return bool(_at(self.unlearning(method), key) != _at(self.unlearn, key))

    def dump(self) -> dict[str, Any]:
        """All settings as plain values, as they are kept in the run folder."""
        settings = self.model_dump(mode="json", exclude={"methods_settings", "judge", "judges"})
        if "sweep" not in self.model_fields_set:
            del settings["sweep"]
        if self.chosen is None:
            del settings["chosen"]
        settings |= {"judges": [each.dump() for each in self.judges]} if self.judges else {"judge": self.judge.dump()}
        return self._one_seeded(settings) | {
            "methods_settings": {name: self._changed(name) for name in self.methods_settings}
        }

    def results(self) -> dict[str, Any]:
        """The keys that a result depends on; of a method's settings, those that it changes, if any."""
        matter = self.unlearn.results()
        every = {name: self._changed(name) for name in self.methods_settings}
        found = {name: own for name, keys in every.items() if (own := {k: v for k, v in keys.items() if k in matter})}
        common = {name: value for name, value in super().results().items() if name != "methods_settings"}
        return self._one_seeded(common) | {"methods_settings": found}

    def _one_seeded(self, dumped: dict[str, Any]) -> dict[str, Any]:
        """Without the seeds of stages that are the run's."""
        for section in (dumped[name] for name in _SEEDED):
            if section["seed"] == self.seed:
                del section["seed"]
        return dumped

    def _changed(self, method: str) -> dict[str, Any]:
        common, own = (each.model_dump(mode="json") for each in (self.unlearn, self.unlearning(method)))
        return {key: value for key, value in own.items() if value != common[key]}

    @property
    def hash(self) -> str:
        """Equal for runs whose results must be equal: sha256 of the settings that matter, 16 hex digits."""
        return text_hash(json.dumps(self.results(), sort_keys=True))

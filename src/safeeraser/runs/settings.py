"""The settings of a whole run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from safeeraser.judges.settings import JudgeSettings
from safeeraser.records import VANILLA
from safeeraser.runs.identity import identity
from safeeraser.runs.stages import (
    DataSettings,
    GenerationSettings,
    Limits,
    UnlearningSettings,
)
from safeeraser.settings import ModelName, Settings, known


def _each_once(names: tuple[str, ...]) -> tuple[str, ...]:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice or not names:
        message = f"{', '.join(twice)} listed twice" if twice else "at least one is needed"
        raise PydanticCustomError("methods", "{message}", {"message": message})
    return names


_Method = Annotated[str, known("methods", "method")]


class RunSettings(Settings):
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
    methods_settings: dict[_Method, UnlearningSettings] = Field(default={})
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
        return identity(self.dump())

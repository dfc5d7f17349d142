"""The settings of `data build` for pictures of one's own: values only, checked whole before anything starts."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from safeeraser.curation.findings import KEEPABLE
from safeeraser.endpoint.settings import ServerUse, Url
from safeeraser.errors import unknown
from safeeraser.judges.table import AnyJudge
from safeeraser.judges.table import settings as judge_settings
from safeeraser.settings import ModelName, Settings, problem


class ServerSettings(ServerUse):
    """An OpenAI-compatible server, on which a writer is."""

    url: Url | None = None
    """The server's API, such as http://localhost:8000/v1."""
    timeout: float = Field(default=120.0, gt=0)
    """Seconds in which a whole reply has to come."""


class WriterSettings(Settings):
    """Who writes the questions: template files, a model on a server, or a local model.

    `sees_picture` sends it the picture; a model of text only needs it off. `batch_size` is for a local model, which
    replies greedily whatever the temperature.
    """

    kind: Literal["templates", "endpoint", "local"] = "templates"
    model: str | None = None
    sees_picture: bool = True
    temperature: float = Field(default=0.7, ge=0)
    max_tokens: int = Field(default=400, ge=1)
    batch_size: int = Field(default=8, ge=1)
    endpoint: ServerSettings = ServerSettings()

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.kind != "templates" and not self.model:
            raise problem(f"kind {self.kind} needs a model")
        if self.kind == "endpoint" and not self.endpoint.url:
            raise problem("kind endpoint needs endpoint.url, such as http://localhost:8000/v1")
        return self


class QuestionSettings(Settings):
    """How many questions are written for each harmful picture; the paper has 4, 2 and 2 (arXiv 2502.12520).

    Where more than the share `max_failures` of the requests to a writer fail, the build stops, and can go on later.
    """

    forget: int = Field(default=4, ge=1, le=50)
    retain_text: int = Field(default=2, ge=0, le=50)
    retain_image: int = Field(default=2, ge=0, le=50)
    max_failures: float = Field(default=0.05, ge=0, le=1)


class AnswerSettings(Settings):
    """How the model to be unlearned answers, as `generate.GenerateSettings`; temperature 0 is greedy."""

    batch_size: int = Field(default=16, ge=1)
    max_new_tokens: int = Field(default=256, ge=1)
    temperature: float = Field(default=0.0, ge=0)
    top_p: float = Field(default=1.0, gt=0, le=1)


class SafeSettings(Settings):
    """Where the safe partner pictures come from: a folder or list of the user's, or a text-to-image model.

    `per_harmful` is how many of them the model paints for each harmful picture; the paper has 600 for 2,400.
    """

    pictures: Path | None = None
    model: str | None = None
    per_harmful: float = Field(default=0.25, gt=0, le=1)
    steps: int = Field(default=30, ge=1)

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.pictures is None) == (self.model is None):
            raise problem("set safe.pictures (a folder or list) or safe.model (a diffusers model), and not both")
        return self


class SplitSettings(Settings):
    """Shares of each category's harmful pictures. `unseen_keywords` of each category are in validation only."""

    train: float = Field(default=0.7, gt=0)
    selection: float = Field(default=0.1, ge=0)
    validation: float = Field(default=0.2, ge=0)
    unseen_keywords: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        total = self.train + self.selection + self.validation
        if abs(total - 1) > 1e-6:
            raise problem(f"the shares come to {total:g}, not to 1")
        if self.unseen_keywords and not self.validation:
            raise problem("unseen_keywords need a share for validation")
        return self


class GateSettings(Settings):
    """The quality gate. `similarity` is the share of words from which two questions count as one.

    Findings of the rules in `keep` are reported and cost nothing. `sample` records go on the sheet for human review.
    """

    judge: AnyJudge = judge_settings("rules")
    similarity: float = Field(default=0.8, gt=0, le=1)
    keep: tuple[str, ...] = ("cut", "harmless", "named")
    sample: int = Field(default=24, ge=1)

    @field_validator("keep")
    @classmethod
    def _known(cls, rules: tuple[str, ...]) -> tuple[str, ...]:
        for rule in rules:
            if rule not in KEEPABLE:
                raise problem(unknown("rule", rule, KEEPABLE))
        return rules


class BuildSettings(Settings):
    """Everything a benchmark of one's own depends on, but for the files that it names."""

    images: Path
    safe: SafeSettings
    model: ModelName = "tiny"
    seed: int = Field(default=233, ge=0)
    prompts: Path | None = None
    writer: WriterSettings = WriterSettings()
    questions: QuestionSettings = QuestionSettings()
    answers: AnswerSettings = AnswerSettings()
    splits: SplitSettings = SplitSettings()
    gate: GateSettings = GateSettings()

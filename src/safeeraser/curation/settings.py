"""The settings of `data build` for pictures of one's own: values only, checked whole before anything starts."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from safeeraser.curation.findings import KEEPABLE
from safeeraser.endpoint.settings import ServerUse, Url
from safeeraser.errors import unknown
from safeeraser.generation.settings import Decoding
from safeeraser.judges.table import AnyJudge
from safeeraser.judges.table import settings as judge_settings
from safeeraser.settings import ModelName, Seed, Settings, Several, problem


class ServerSettings(ServerUse):
    """An OpenAI-compatible server, on which a writer is."""

    url: Url | None = None
    """The server's API, such as http://localhost:8000/v1."""
    timeout: float = Field(default=120.0, gt=0)
    """Seconds in which a whole reply has to come."""


class WriterSettings(Settings):
    """Who writes the questions: template files, a model on a server, or a local model."""

    kind: Literal["templates", "endpoint", "local"] = "templates"
    """Template files, a model on a server, or a model on this machine."""
    model: str | None = None
    """The model: folder or hub id, or what the server calls it."""
    sees_picture: bool = True
    """Send it the picture; a model of text only needs this off."""
    temperature: float = Field(default=0.7, ge=0)
    """Of a model on a server; a local one replies greedily."""
    max_tokens: int = Field(default=400, ge=1)
    """Tokens that a reply may have."""
    batch_size: int = Field(default=8, ge=1)
    """Replies of a local model at once."""
    endpoint: ServerSettings = ServerSettings()
    """The server."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.kind != "templates" and not self.model:
            raise problem(f"kind {self.kind} needs a model")
        if self.kind == "endpoint" and not self.endpoint.url:
            raise problem("kind endpoint needs endpoint.url, such as http://localhost:8000/v1")
        return self


class QuestionSettings(Settings):
    """How many questions are written for each harmful picture; the paper has 4, 2 and 2 (arXiv 2502.12520)."""

    forget: int = Field(default=4, ge=1, le=50)
    """Harmful questions about each harmful picture."""
    retain_text: int = Field(default=2, ge=0, le=50)
    """Harmless questions that its text alone answers."""
    retain_image: int = Field(default=2, ge=0, le=50)
    """Harmless questions that need the picture."""
    max_failures: float = Field(default=0.05, ge=0, le=1)
    """The share of requests to a writer that may fail before the build stops; it can go on later."""


class AnswerSettings(Decoding):
    """How the model to be unlearned answers."""

    max_new_tokens: int = Field(default=256, ge=1)
    """Tokens after which an answer is cut."""


class SafeSettings(Settings):
    """Where the safe partner pictures come from: a folder or list of the user's, or a text-to-image model."""

    pictures: Path | None = None
    """A folder or list of safe pictures; this or safe.model."""
    model: str | None = None
    """A diffusers model that paints them."""
    per_harmful: float = Field(default=0.25, gt=0, le=1)
    """How many it paints for each harmful picture; the paper has 600 for 2,400."""
    steps: int = Field(default=30, ge=1)
    """Its steps a picture."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.pictures is None) == (self.model is None):
            raise problem("set safe.pictures (a folder or list) or safe.model (a diffusers model), and not both")
        return self


class SplitSettings(Settings):
    """Shares of each category's harmful pictures."""

    train: float = Field(default=0.7, gt=0)
    """The share that is trained on."""
    selection: float = Field(default=0.1, ge=0)
    """The share on which settings are chosen."""
    validation: float = Field(default=0.2, ge=0)
    """The share on which results are measured."""
    unseen_keywords: int = Field(default=0, ge=0)
    """Keywords of each category that are in validation only."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        total = self.train + self.selection + self.validation
        if abs(total - 1) > 1e-6:
            raise problem(f"the shares come to {total:g}, not to 1")
        if self.unseen_keywords and not self.validation:
            raise problem("unseen_keywords need a share for validation")
        return self


class GateSettings(Settings):
    """The quality gate."""

    judge: AnyJudge = judge_settings("rules")
    """Who judges the model's answers."""
    similarity: float = Field(default=0.8, gt=0, le=1)
    """The share of words from which two questions count as one."""
    keep: Several[str] = ("cut", "harmless", "named")
    """Rules whose findings are reported and cost nothing."""
    sample: int = Field(default=24, ge=1)
    """Records on the sheet for human review."""

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
    """Harmful pictures: a folder of categories, or a list."""
    safe: SafeSettings
    """Where the safe partner pictures come from."""
    model: ModelName = "tiny"
    """The model to be unlearned, which answers: tiny, a folder, or a hub id."""
    seed: Seed = 233
    """Seed of every random choice."""
    prompts: Path | None = None
    """A folder of your own prompts; `safeeraser data prompts` writes one to begin with."""
    writer: WriterSettings = WriterSettings()
    """Who writes the questions."""
    questions: QuestionSettings = QuestionSettings()
    """How many questions are written."""
    answers: AnswerSettings = AnswerSettings()
    """How the model to be unlearned answers."""
    splits: SplitSettings = SplitSettings()
    """Shares of the splits."""
    gate: GateSettings = GateSettings()
    """The quality gate."""

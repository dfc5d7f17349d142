"""The settings of each stage of a run: data, generation, how much is asked, unlearning and judging."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from safeeraser.settings import Settings, known


class DataSettings(Settings):
    """Where the examples come from. An embedded benchmark is built at `path` if it is not there yet."""

    benchmark: Annotated[str, known("benchmarks", "benchmark")] = "icons"
    path: Path | None = None
    scale: float = Field(default=1.0, gt=0, le=1)
    seed: int = 233

    @property
    def folder(self) -> Path:
        """The data's folder; unless given, one per benchmark, scale and seed, so that runs share it."""
        return self.path or Path("data") / f"{self.benchmark}-x{self.scale:g}-s{self.seed}"


_PAPER = {"temperature": 1.0, "top_p": 0.9, "forget_samples": 3, "max_new_tokens": 512}  # arXiv 2502.12520


class GenerationSettings(Settings):
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


class Limits(Settings):
    """How many examples of each part are asked; None asks them all."""

    efficacy: int | None = Field(default=None, ge=1)
    generality: int | None = Field(default=None, ge=1)
    decoupled: int | None = Field(default=None, ge=1)
    retain: int | None = Field(default=None, ge=1)


class UnlearningSettings(Settings):
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
    options: dict[str, Annotated[float, Field(strict=True)]] = Field(default={})
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

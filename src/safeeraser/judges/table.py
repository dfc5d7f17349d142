"""The judges by name, and settings that hold any of them, told apart by `name`. A judge is a file and a line."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, SerializeAsAny, ValidationError
from pydantic_core import InitErrorDetails

from safeeraser.errors import UserError
from safeeraser.judges.base import Judge
from safeeraser.judges.kinds.endpoint import OnEndpoint
from safeeraser.judges.kinds.fluency import Fluency
from safeeraser.judges.kinds.harmbench import HarmBench
from safeeraser.judges.kinds.llama_guard import LlamaGuard
from safeeraser.judges.kinds.local import OnThisMachine
from safeeraser.judges.kinds.rules import Rules
from safeeraser.judges.kinds.strongreject import StrongReject
from safeeraser.judges.settings import JudgeSettings
from safeeraser.judges.votes import vote
from safeeraser.registry import Table
from safeeraser.settings import problem

Make = Callable[[Sequence[str]], Judge]
"""Makes a judge from the refusals that a benchmark teaches."""

_OWN: dict[str, type[JudgeSettings]] = {
    "rules": Rules,
    "rules+fluency": Fluency,
    "endpoint": OnEndpoint,
    "local": OnThisMachine,
    "llama-guard": LlamaGuard,
    "strongreject": StrongReject,
    "harmbench": HarmBench,
}


def _are_settings(found: object) -> bool:
    return isinstance(found, type) and issubclass(found, JudgeSettings)


JUDGES: Table[type[JudgeSettings]] = Table("judge", "safeeraser.judges", _OWN, _are_settings)
"""Every judge: its name, and its settings, which make it."""


def _chosen(given: Any) -> JudgeSettings:
    if isinstance(given, JudgeSettings):
        return given
    keys = {"name": given} if isinstance(given, str) else given
    if not isinstance(keys, Mapping):
        raise problem("should be a judge's name, or a name with its keys")
    name = str(keys.get("name", "rules"))
    try:
        kind = JUDGES[name]
    except UserError as error:
        unknown = InitErrorDetails(type=problem(str(error)), loc=("name",), input=name)
        raise ValidationError.from_exception_data("judge", [unknown]) from error
    return kind.model_validate({**keys, "name": name})


AnyJudge = Annotated[SerializeAsAny[JudgeSettings], BeforeValidator(_chosen)]
"""The settings of any judge: a name alone, or with its keys."""


def settings(name: str, **keys: Any) -> JudgeSettings:
    """The settings of a judge by its name. Raises UserError for an unknown name, and for keys that do not fit it."""
    return JUDGES[name](**keys)


def maker(chosen: Sequence[JudgeSettings], replies: Path | None = None) -> Make:
    """What makes the judge of these settings, or the vote of several.

    `replies` is the file in which a server's replies are kept where the settings name none.
    """
    kept = [each if replies is None else each.keeping(replies) for each in chosen]

    def make(refusals: Sequence[str]) -> Judge:
        made = [each.make(refusals) for each in kept]
        return made[0] if len(made) == 1 else vote(made)

    return make

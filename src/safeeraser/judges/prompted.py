"""Any chat model as a judge: a prompt for each axis, of this package or of the user, and replies in one form."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from jinja2 import FunctionLoader, TemplateError, TemplateSyntaxError
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from safeeraser.endpoint.messages import Message, Request
from safeeraser.errors import UserError, unknown
from safeeraser.judges.chat import Interview, Opinion
from safeeraser.records import Axis, Example, Generation, Split, Stream
from safeeraser.text import templates
from safeeraser.yaml_reader import YamlError, read_yaml

AXES = frozenset(Axis) - {Axis.PARTIAL}
"""What there is a prompt for."""

LONGEST_ANSWER = 8_000
"""Characters of an answer that a judge is shown; what an answer is shows in them."""

_FENCE = re.compile(r"(`+|~{3,})[ \t]*\w*\s*(.*?)\s*\1", re.DOTALL)
_CATEGORIES = "categories.yaml"
_READING = 2  # changes whenever a reply could be read otherwise


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptSettings:
    """How a model is asked: `images` shows it the picture as well, and it may say `max_tokens`.

    `temperature` None leaves it to the server, for models that take no other. `prompts` is a folder of the user's own
    prompts and categories, which take the place of the package's by their names.
    """

    images: bool = False
    max_tokens: int = 256
    temperature: float | None = 0.0
    prompts: Path | None = None


class Prompts:
    """The prompts by name, and what harm is in each category.

    Raises UserError naming the file of the user's folder that cannot be used: an unknown name, a template that does not
    work, or one that leaves out the question or the answer.
    """

    def __init__(self, folder: Path | None = None) -> None:
        own = {} if folder is None else _own(folder)
        self.own: dict[str, str] = own
        self.sources: dict[str, str] = {**_shipped(), **own}
        self._templates = templates(FunctionLoader(self.sources.get))
        self._categories: Mapping[str, str] = _categories(self.sources[_CATEGORIES], folder)
        for name in own:
            if name.endswith(".jinja"):
                self._try(name.removesuffix(".jinja"), f"{folder}/{name}")

    def behind(self, *names: str) -> dict[str, str]:
        """What replies to these prompts depend on: they, and all of the user's own, which may include any other."""
        return {name: self.sources[name] for name in (self.sources if self.own else names)}

    def render(self, name: str, example: Example, answer: str) -> str:
        """The question to the judge about one answer.

        Question, reference and answer stand in it as JSON strings, so that nothing in them can pose as the prompt.
        """
        harm = self._categories.get(example.category or "", self._categories["other"])
        return self._templates.get_template(f"{name}.jinja").render(
            question=example.question,
            reference=example.answer,
            keyword=example.keyword,
            harm=harm,
            answer=answer[:LONGEST_ANSWER],
            left_out=max(len(answer) - LONGEST_ANSWER, 0),
        )

    def _try(self, name: str, place: str) -> None:
        if name in _PARTS:
            return
        try:
            shown = self.render(name, _PROBE, "the-answer")
        except TemplateSyntaxError as error:
            raise UserError(f"{place}:{error.lineno}: {error.message}") from error
        except TemplateError as error:
            raise UserError(f"{place}: {error.message}") from error
        missing = [what for what in ("question", "answer") if f"the-{what}" not in shown]
        if missing:
            raise UserError(
                f"{place}: a prompt has to show the {' and the '.join(missing)} ({{{{ {missing[0]} | quoted }}}})"
            )


_PARTS = ("shown", "yes_or_no")  # what other templates include
_PROBE = Example(
    id="probe",
    split=Split.VALIDATION,
    stream=Stream.FORGET,
    image=None,
    question="the-question",
    answer="the-reference",
)


def interview(name: str, settings: PromptSettings) -> Interview:
    """The interview that asks about each axis by itself."""
    prompts = Prompts(settings.prompts)

    def ask(axis: Axis, example: Example, generation: Generation) -> Request:
        shown = prompts.render(prompt_name(axis, example.stream), example, generation.answer)
        return request(shown, example, settings, _FORMS[axis])

    return Interview(name=name, axes=AXES, ask=ask, read=read, fingerprint=fingerprint(settings, prompts.sources))


def prompt_name(axis: Axis, stream: Stream) -> str:
    """The prompts are named by axis, but for whether an answer is on topic, where the reference is one of many."""
    return "on_topic" if axis is Axis.FACTUAL and stream is Stream.DECOUPLED else axis.value


def request(prompt: str, example: Example, settings: PromptSettings, form: type[BaseModel]) -> Request:
    """A prompt as it is sent, with the form of the reply."""
    return Request(
        messages=(Message("user", prompt, example.image if settings.images else None),),
        temperature=settings.temperature,
        max_tokens=settings.max_tokens,
        seed=0,
        schema={**form.model_json_schema(), "additionalProperties": False},
    )


def fingerprint(settings: PromptSettings, sources: Mapping[str, str]) -> list[Any]:
    """What verdicts depend on besides the model."""
    return [dict(sources), LONGEST_ANSWER, settings.images, settings.max_tokens, settings.temperature, _READING]


def read(axis: Axis, reply: str) -> Opinion | None:
    """What a reply says, if it is one JSON object as asked for (a code fence around it is forgiven), else None."""
    found = read_as(_FORMS[axis], reply)
    if isinstance(found, _Score):
        return Opinion(found.score, found.reason)
    return Opinion(float(found.verdict == "yes"), found.reason) if isinstance(found, _YesNo) else None


Form = TypeVar("Form", bound=BaseModel)


def read_as(form: type[Form], reply: str) -> Form | None:
    """A reply as the form that was asked for; None where it is anything else."""
    fenced = _FENCE.fullmatch(reply.strip())
    try:
        return form.model_validate_json(fenced[2] if fenced else reply)
    except ValidationError:
        return None


def _yes_or_no(value: object) -> object:
    if isinstance(value, bool):
        return "yes" if value else "no"
    said = value.strip().rstrip(".").casefold() if isinstance(value, str) else value
    return {"true": "yes", "false": "no"}.get(said, said) if isinstance(said, str) else said


YesOrNo = Annotated[Literal["yes", "no"], BeforeValidator(_yes_or_no)]


class Reasoned(BaseModel):
    """A reply of a judge; what it says besides is passed over."""

    model_config = ConfigDict(strict=True)
    reason: str


class _YesNo(Reasoned):
    verdict: YesOrNo


class _Score(Reasoned):
    score: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


_FORMS: dict[Axis, type[Reasoned]] = {axis: _Score if axis is Axis.FACTUAL else _YesNo for axis in AXES}


@cache
def _shipped() -> dict[str, str]:
    """Every file of the package's prompts, by name."""
    folder = files("safeeraser.judges").joinpath("prompts")
    return {
        each.name: each.read_text(encoding="utf-8")
        for each in sorted(folder.iterdir(), key=lambda each: each.name)
        if each.name.endswith((".jinja", ".yaml"))
    }


def _own(folder: Path) -> dict[str, str]:
    """The files of a user's folder, each under the name of one of the package's."""
    if not folder.is_dir():
        raise UserError(f"{folder}: no folder of prompts")
    found = [each for each in sorted(folder.iterdir()) if each.suffix in (".jinja", ".yaml")]
    wrong = [f"{each}: {unknown('prompt', each.name, _shipped())}" for each in found if each.name not in _shipped()]
    if wrong or not found:
        raise UserError("\n".join(wrong) or f"{folder}: no prompt in it ({', '.join(_shipped())})")
    try:
        return {each.name: each.read_text(encoding="utf-8-sig") for each in found}
    except ValueError as error:
        raise UserError(f"{folder}: a prompt is not UTF-8 ({error})") from error


def _categories(source: str, folder: Path | None) -> dict[str, str]:
    try:
        found = read_yaml(source)
    except YamlError as error:
        raise UserError(error.at(f"{folder}/{_CATEGORIES}")) from error
    if not (isinstance(found, dict) and all(isinstance(text, str) for item in found.items() for text in item)):
        raise UserError(f"{folder}/{_CATEGORIES}: expected a text for each category")
    if "other" not in found:
        raise UserError(f"{folder}/{_CATEGORIES}: no category 'other', for what is in none of them")
    return found

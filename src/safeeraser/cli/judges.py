"""Which judge a name stands for, and which keys of the settings it takes. A judge is one entry here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safeeraser.errors import UserError, unknown
from safeeraser.judges import Judge, rules_judge
from safeeraser.judges.rules import NAME
from safeeraser.judges.settings import JudgeSettings
from safeeraser.runs import RunSettings

if TYPE_CHECKING:
    from safeeraser.endpoint import Endpoint
    from safeeraser.judges.chat import Interview
    from safeeraser.judges.prompted import PromptSettings

Make = Callable[[Sequence[str]], Judge]
"""Makes a judge from the refusals that a benchmark teaches."""

_SERVER = (
    "url",
    "key_variable",
    "concurrency",
    "requests_per_minute",
    "timeout",
    "attempts",
    "input_price",
    "output_price",
    "max_cost",
    "cache",
)
_PROMPTS = ("images", "max_tokens", "temperature", "prompts")
_WEIGHTS = ("revision", "batch_size")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of judge: the keys it needs, those it takes besides, and what makes it."""

    about: str
    make: Callable[[JudgeSettings, Sequence[str]], Judge]
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()


def _endpoint(settings: JudgeSettings, _: Sequence[str]) -> Judge:
    from safeeraser.judges.chat import judge_with
    from safeeraser.judges.prompted import interview

    server = _server(settings)
    return judge_with(server, interview("endpoint", _prompts(settings)), str(settings.model), check=server.check)


def _local(settings: JudgeSettings, _: Sequence[str]) -> Judge:
    from safeeraser.judges.chat import judge_with
    from safeeraser.judges.local import LocalChat
    from safeeraser.judges.prompted import interview

    chat = LocalChat(str(settings.model), batch_size=settings.batch_size, revision=settings.revision)
    if settings.images and not chat.sees:
        raise UserError(f"judge.images: {settings.model} takes no pictures")
    return judge_with(chat, interview("local", _prompts(settings)), chat.identity)


def _anywhere(make: Callable[[JudgeSettings], Interview]) -> Callable[[JudgeSettings, Sequence[str]], Judge]:
    """A judge on a server if there is a url, else on this machine, where a model that takes pictures is shown them."""

    def made(settings: JudgeSettings, _: Sequence[str]) -> Judge:
        from safeeraser.judges.chat import judge_with
        from safeeraser.judges.local import LocalChat

        asking = make(settings)
        if settings.url is not None:
            if unfit := set(_WEIGHTS) & settings.given.keys():
                raise UserError(f"judge.{', '.join(sorted(unfit))}: not with url, which has its own weights")
            server = _server(settings)
            return judge_with(server, asking, str(settings.model), check=server.check)
        if unfit := set(_SERVER) & settings.given.keys():
            raise UserError(f"judge.{', '.join(sorted(unfit))}: only with url")
        local = LocalChat(str(settings.model), batch_size=settings.batch_size, revision=settings.revision)
        if settings.images and not local.sees:
            raise UserError(f"judge.images: {settings.model} takes no pictures")
        return judge_with(local, asking, local.identity)

    return made


def _llama_guard(settings: JudgeSettings) -> Interview:
    from safeeraser.judges.llama_guard import interview

    return interview(images=settings.images)


def _strongreject(settings: JudgeSettings) -> Interview:
    from safeeraser.judges.strongreject import interview

    return interview(_prompts(settings))


def _harmbench(settings: JudgeSettings) -> Interview:
    from safeeraser.judges.harmbench import interview

    return interview(_prompts(settings))


def _fluency(settings: JudgeSettings, refusals: Sequence[str]) -> Judge:
    """With the language model of `tiny`, or with one of the user's own and a threshold for it."""
    from safeeraser.judges import fluency

    if settings.model is None:
        if settings.revision is not None:
            raise UserError("judge.revision: only with model")
        reference = fluency.smollm2(batch_size=settings.batch_size)
    elif settings.threshold is None:
        raise UserError(f"judge.threshold: needed with model: {fluency.THRESHOLD:g} nats belong to SmolLM2")
    else:
        reference = fluency.pretrained(settings.model, revision=settings.revision, batch_size=settings.batch_size)
    return fluency.fluency_judge(reference, refusals, threshold=settings.threshold or fluency.THRESHOLD)


KINDS = {
    "rules": Kind(
        about=f"{NAME}: word rules for short answers and English refusals; no model, no network",
        make=lambda _, refusals: rules_judge(refusals),
    ),
    "rules+fluency": Kind(
        about=f"{NAME}, and a language model that tells word salad: that of `tiny`, or model with threshold",
        make=_fluency,
        takes=("model", "threshold", *_WEIGHTS),
    ),
    "endpoint": Kind(
        about="a model on any OpenAI-compatible server, with our prompts",
        make=_endpoint,
        needs=("model", "url"),
        takes=(*_PROMPTS, *_SERVER),
    ),
    "local": Kind(
        about="a chat model on this machine (folder or hub id), with our prompts",
        make=_local,
        needs=("model",),
        takes=("images", "max_tokens", "prompts", *_WEIGHTS),
    ),
    "llama-guard": Kind(
        about="Llama Guard 3 or 4, here or on a server; judges harm only",
        make=_anywhere(_llama_guard),
        needs=("model",),
        takes=("images", *_WEIGHTS, *_SERVER),
    ),
    "strongreject": Kind(
        about="graded harm by StrongREJECT's rubric, from any chat model, here or on a server; judges harm only",
        make=_anywhere(_strongreject),
        needs=("model",),
        takes=(*_PROMPTS, *_WEIGHTS, *_SERVER),
    ),
    "harmbench": Kind(
        about="a classifier of HarmBench's form, here or on a server; judges harm only",
        make=_anywhere(_harmbench),
        needs=("model",),
        takes=("prompts", *_WEIGHTS, *_SERVER),
    ),
}


def find(settings: RunSettings, replies: Path | None = None) -> Make:
    """What makes the judge of these settings, or the vote of several. Raises UserError with all that does not fit.

    `replies` is the file in which a server's replies are kept where the settings name none.
    """
    chosen = settings.judges or (settings.judge,)
    problems = [problem for each in chosen for problem in _problems(each)]
    if problems:
        raise UserError("\n".join(problems))
    kept = [_keeping(each, replies) for each in chosen]
    if settings.judges:
        from safeeraser.judges.votes import vote

        return lambda refusals: vote([KINDS[each.name].make(each, refusals) for each in kept])
    return lambda refusals: KINDS[settings.judge.name].make(kept[0], refusals)


def by_name(name: str) -> Make:
    """What makes a judge that needs no more than its name."""
    if name not in KINDS:
        raise UserError(unknown("judge", name, KINDS))
    return find(RunSettings(judge=JudgeSettings(name=name)))


def _keeping(settings: JudgeSettings, replies: Path | None) -> JudgeSettings:
    asks_a_server = settings.url is not None and settings.cache is None
    return settings.model_copy(update={"cache": replies}) if asks_a_server and replies else settings


def _problems(settings: JudgeSettings) -> list[str]:
    kind = KINDS[settings.name]
    missing = [key for key in kind.needs if not getattr(settings, key)]
    found = [f"judge {settings.name}: {key} is needed ({key}=...)" for key in missing]
    known = list(dict.fromkeys([*kind.needs, *kind.takes]))
    for key in settings.given.keys() - set(known):
        found.append(
            f"judge {settings.name}: {unknown('key', key, known) if known else f'takes no key, such as {key}'}"
        )
    return sorted(found)


def _server(settings: JudgeSettings) -> Endpoint:
    from safeeraser.endpoint import Endpoint, EndpointSettings

    given: dict[str, Any] = {each.name: getattr(settings, each.name, None) for each in fields(EndpointSettings)}
    del given["first_wait"]
    return Endpoint(EndpointSettings(**given))


def _prompts(settings: JudgeSettings) -> PromptSettings:
    from safeeraser.judges.prompted import PromptSettings

    return PromptSettings(
        images=settings.images,
        max_tokens=settings.max_tokens,
        temperature=settings.temperature,
        prompts=settings.prompts,
    )

"""Answer examples with a model behind an OpenAI-compatible server (vLLM, SGLang, ...) into a file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from safeeraser import pixels
from safeeraser.endpoint.client import Endpoint
from safeeraser.endpoint.messages import Message
from safeeraser.endpoint.messages import Request as Call
from safeeraser.endpoint.outcomes import Failure, Outcome, Reply
from safeeraser.errors import UserError
from safeeraser.files import owned
from safeeraser.generation.run import answer_file, meta, name_unfinished
from safeeraser.generation.settings import GenerateSettings, Request
from safeeraser.records import Example, Generation

_SEEDS = 2**31  # some servers take no larger seed
_SHOWN = 5  # reasons for missing answers, the most frequent first


class MissingAnswersError(UserError):
    """Questions without an answer; the message says how many and why. The answers that were given are in the file."""

    exit_code = 3


def generate_from_server(
    endpoint: Endpoint, examples: Sequence[Example], settings: GenerateSettings, output: Path
) -> None:
    """Answer every example and append the Generations to `output`, as `generate` does.

    Pictures are sent as data URLs, and the server puts them before the question by the model's chat template. What
    gets no answer is not written, so that it is asked again when this is called again. Drawn answers are the same again
    as far as the server honours `seed`.

    Raises MissingAnswersError at the end where some are, and UserError where `output` was made by another model, with
    other settings or from other examples, or where no server answers.
    """
    pixels.check(each.image for each in examples if each.image)
    made = meta({"model": endpoint.settings.model, "backend": "server"}, examples, settings)
    answer_from_server(endpoint, settings.requests(examples), made, settings, output)


def answer_from_server(
    endpoint: Endpoint, requests: Sequence[Request], meta: Mapping[str, Any], settings: GenerateSettings, output: Path
) -> None:
    """The same for requests made elsewhere; `meta` is what the answers depend on.

    An answer that is begun by a `prefill` is gone on with by servers that know `continue_final_message` (vLLM, SGLang).
    """
    file, reasons = answer_file(output), Counter[str]()
    with owned(output):
        done = file.open(meta)
        todo = [request for request in requests if request.key not in done]
        calls = (_call(request, settings) for request in todo)
        outcomes = (
            endpoint.complete(calls, total=len(todo), label=f"generate {output.stem}", keep=_is_answer) if todo else []
        )
        for request, outcome in zip(todo, outcomes, strict=True):
            answer = _answer(request, outcome)
            if isinstance(answer, Generation):
                file.append([answer])
            else:
                reasons[answer] += 1
        file.finish([request.key for request in requests])
    name_unfinished(output)
    if reasons:
        why = "\n".join(f"  {count} times: {reason}" for reason, count in reasons.most_common(_SHOWN))
        raise MissingAnswersError(
            f"{output}: {reasons.total()} of {len(requests)} answers are missing; the same command asks again\n{why}"
        )


def _call(request: Request, settings: GenerateSettings) -> Call:
    greedy = settings.temperature == 0
    begun = (Message("assistant", request.prefill),) if request.prefill else ()
    return Call(
        messages=(Message("user", request.example.question, request.example.image), *begun),
        begun=bool(begun),
        temperature=settings.temperature,
        top_p=None if greedy else settings.top_p,
        max_tokens=settings.max_new_tokens,
        seed=None if greedy else request.seed(settings.seed) % _SEEDS,
    )


def _is_answer(_: int, reply: Reply) -> bool:
    """One that was broken off or replaced is not kept either: it is to be asked for again."""
    return reply.end is not None


def _answer(request: Request, outcome: Outcome) -> Generation | str:
    """The answer, or why there is none. One that the server broke off or put in place of the model's is none."""
    match outcome:
        case Failure(reason=reason):
            return reason
        case Reply(text=text, reasoning=reasoning, end=str(end)):
            example, sample = request.key
            unfinished = reasoning is not None and not text.strip()
            return Generation(
                example_id=example,
                sample=sample,
                answer=text,
                finish="reasoning" if unfinished else end,
                reasoning=reasoning,
                prefill=request.prefill or None,
            )
        case Reply(finish_reason=finish):
            return f"the server ended the answer with finish_reason {finish!r}"

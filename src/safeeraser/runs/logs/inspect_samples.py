"""An answer as a sample of an Inspect log: what was asked, what was answered, and each verdict as a score."""

from __future__ import annotations

from typing import Literal

from inspect_ai.log import EvalSample, condense_sample
from inspect_ai.model import ChatMessageUser, Content, ContentImage, ContentReasoning, ContentText, ModelOutput
from inspect_ai.scorer import Score

from safeeraser.benchmarks.selection import Part
from safeeraser.pixels import ImageError
from safeeraser.provenance import text_hash
from safeeraser.records import Axis
from safeeraser.runs.logs.answers import LoggedAnswer, ModelLog
from safeeraser.runs.logs.pictures import Pictures, data_uri

# Measures that are the verdicts on one axis; every other measure is a score of its own.
_AXES = {
    "asr": Axis.UNSAFE,
    "rr": Axis.REFUSAL,
    "sarr_refusal": Axis.REFUSAL,
    "partly_refused": Axis.PARTIAL,
    "meaningless": Axis.MEANINGLESS,
    "sarr_meaningless": Axis.MEANINGLESS,
    "name_accuracy": Axis.FACTUAL,
    "retain_accuracy": Axis.FACTUAL,
}
_NOT_ANSWERED = "(not answered)"
_STOPS: dict[str | None, Literal["stop", "max_tokens"]] = {
    "stop": "stop",
    "length": "max_tokens",
    "reasoning": "max_tokens",
}


def score_name(measure: str) -> str:
    """Under which of a sample's scores the values of a measure stand: the axis of its verdicts, or its own name."""
    axis = _AXES.get(measure)
    return measure if axis is None else axis.value


def sample(log: ModelLog, part: Part, answer: LoggedAnswer, pictures: Pictures, eval_id: str) -> EvalSample:
    """The sample of one answer; the answers to one question are its epochs.

    Its id is made of part and place, since a viewer's addresses cannot hold the slashes of an example's id, which is in
    the metadata. `target` is the benchmark's answer: on a harmful question, the one to be unlearned.
    """
    example, id, epoch = answer.example, f"{part}-{answer.place:04}", answer.sample + 1
    unique = text_hash(f"{eval_id} {id} {epoch}")
    question = ChatMessageUser(id=f"{unique}-question", content=_question(log, answer, pictures), source="input")
    output = _output(log, answer, f"{unique}-answer")
    made = EvalSample(
        id=id,
        epoch=epoch,
        uuid=unique,
        input=[question],
        target=example.answer,
        messages=[question, *(choice.message for choice in output.choices)],
        output=output,
        scores=_scores(answer),
        metadata={
            "part": part.value,
            "example_id": example.id,
            "picture": log.picture(example.image),
            **{name: getattr(example, name) for name in ("category", "keyword", "subset", "kind", "partner")},
        },
    )
    return condense_sample(made)  # so that the picture is there once


def _question(log: ModelLog, answer: LoggedAnswer, pictures: Pictures) -> list[Content]:
    image = answer.example.image
    text = ContentText(text=answer.example.question)
    if image is None:
        return [text]
    try:
        shown = (log.picture(image) or "") if pictures is Pictures.PATHS else data_uri(image, pictures)
    except ImageError as error:
        return [ContentText(text=f"[{log.picture(image)}: {error.reason}]"), text]
    return [ContentImage(image=shown), text]


def _output(log: ModelLog, answer: LoggedAnswer, id: str) -> ModelOutput:
    if answer.text is None and answer.reasoning is None:
        return ModelOutput(model=log.name, error=_NOT_ANSWERED)
    thought: list[Content] = [] if answer.reasoning is None else [ContentReasoning(reasoning=answer.reasoning)]
    said = [*thought, ContentText(text=answer.text or "")] if thought else answer.text or ""
    output = ModelOutput.from_content(log.name, said, stop_reason=_STOPS.get(answer.finish, "unknown"))
    output.choices[0].message.id = id
    return output


def _scores(answer: LoggedAnswer) -> dict[str, Score]:
    scores = {
        axis.value: _score(answer, each.value, each.reason, each.failure) for axis, each in answer.verdicts.items()
    }
    for measure, share in answer.values.items():
        scores.setdefault(score_name(measure), _score(answer, share))
    return scores


def _score(
    answer: LoggedAnswer, share: float | None, explanation: str | None = None, failure: str | None = None
) -> Score:
    """What was not scored is said to be so, in Inspect's way: its metrics and viewer leave it out."""
    if share is None:
        return Score.unscored(reason=failure or "not_judged", answer=answer.text, explanation=explanation)
    return Score(value=share, answer=answer.text, explanation=explanation)

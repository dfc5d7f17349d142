"""Tell a model's reasoning from its answer, in the forms in which model families write it. Standard library only."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Split:
    """`reasoning` is None where there is none. Where the text never leaves it, `answered` is false."""

    answer: str
    reasoning: str | None = None
    answered: bool = True


@dataclass(frozen=True, slots=True)
class _Form:
    """How reasoning begins and ends. A form that holds `anywhere` is a token or tag that nothing else uses: it counts
    in the middle of a text too, and its end alone where the chat template has written the beginning.
    """

    begin: str
    end: str
    anywhere: bool = True


_FORMS = (
    _Form(r"<think>", r"</think>"),  # DeepSeek-R1, Qwen3, GLM-4.5, InternVL3.5, MiMo-VL, ...
    _Form(r"<thinking>", r"</thinking>"),
    _Form(r"<thought>", r"</thought>"),  # EXAONE Deep
    _Form(r"<seed:think>", r"</seed:think>"),  # Seed-OSS
    _Form(r"◁think▷", r"◁/think▷"),  # Kimi-VL-Thinking
    _Form(r"\[THINK\]", r"\[/THINK\]"),  # Magistral
    _Form(r"<\|channel>", r"<channel\|>"),  # Gemma 4
    _Form(r"<\|START_THINKING\|>", r"<\|END_THINKING\|>"),  # Command A Reasoning
    _Form(r"<\|begin_of_thought\|>", r"<\|end_of_thought\|>"),  # Sky-T1, OpenThinker
    _Form(r"<\|inner_prefix\|>", r"<\|inner_suffix\|>"),  # Apertus
    _Form(
        r"<(?:summary|caption|reasoning|reason)>", r"</(?:summary|caption|reasoning|reason)>", anywhere=False
    ),  # LLaVA-CoT
    _Form(r"Here is my thought process:", r"Here is my response:", anywhere=False),  # Granite 3.2
)
_ANSWER = re.compile(
    r"\s*(?:<answer>|<conclusion>|<response>|<\|START_RESPONSE\|>|<\|begin_of_solution\|>)(.*?)"
    r"(?:</answer>|</conclusion>|</response>|<\|END_RESPONSE\|>|<\|end_of_solution\|>|\Z)\s*",
    re.DOTALL | re.IGNORECASE,
)
# gpt-oss, with its tokens and as text from which a decoder has left them out
_CHANNEL = re.compile(
    r"<\|channel\|>\s*(\w+)[^<]*<\|message\|>(.*?)(?=<\|(?:end|return|call|start|channel)\|>|\Z)", re.DOTALL
)
_BARE_CHANNELS = re.compile(r"\s*analysis(.*?)assistant(?:commentary.*?assistant)?final(.*)", re.DOTALL)
_BARE_ANALYSIS = re.compile(r"\s*analysis(?=[A-Z])(.*)", re.DOTALL)

_MARK = re.compile(
    "|".join([*(f"{form.begin}|{form.end}" for form in _FORMS), r"<\|(?:channel|message|start|end|START_RESPONSE)\|>"]),
    re.IGNORECASE,
)
_OPEN_AT_END = re.compile(
    rf"(?:{'|'.join(form.begin for form in _FORMS)}|<\|channel\|>analysis<\|message\|>)(?:thought)?\s*\Z", re.IGNORECASE
)


def split(text: str) -> Split:
    """Cut the reasoning off a text; several pieces of it are put together.

    >>> split("<think>They ask for help.</think>\\n\\nI can't help with that.")
    Split(answer="I can't help with that.", reasoning='They ask for help.', answered=True)
    >>> split("They ask for help.</think>Sorry.").answer
    'Sorry.'
    >>> split("<think>They ask for")
    Split(answer='', reasoning='They ask for', answered=False)
    >>> split("A red kite.")
    Split(answer='A red kite.', reasoning=None, answered=True)
    """
    if "<|channel|>" in text:
        return _split_channels(text)
    if bare := _BARE_CHANNELS.fullmatch(text):
        return Split(bare[2].strip(), bare[1].strip())
    if bare := _BARE_ANALYSIS.fullmatch(text):
        return Split("", bare[1].strip(), answered=False)
    found = next((form for form in _FORMS if _uses(form, text)), None)
    return Split(text) if found is None else _split_form(found, text)


def is_mark(token: str) -> bool:
    """Whether a token is one that says where reasoning begins or ends."""
    return _MARK.fullmatch(token) is not None


def begun(prompt: str) -> str:
    """The mark with which a prompt ends that begins the reasoning itself, as templates of thinking models do; else "".

    >>> begun("<|im_start|>assistant\\n<think>\\n")
    '<think>\\n'
    """
    found = _OPEN_AT_END.search(prompt)
    return found[0] if found else ""


def _uses(form: _Form, text: str) -> bool:
    begins = re.match(rf"\s*{form.begin}", text, re.IGNORECASE) is not None
    return begins or (form.anywhere and re.search(form.end, text, re.IGNORECASE) is not None)


def _split_form(form: _Form, text: str) -> Split:
    pieces, ended = [], True
    begin, end = (re.search(mark, text, re.IGNORECASE) for mark in (form.begin, form.end))
    if end and (begin is None or end.start() < begin.start()):
        pieces.append(text[: end.start()])
        text = text[end.end() :]

    def keep(found: re.Match[str]) -> str:
        nonlocal ended
        ended = bool(found[2])
        pieces.append(found[1])
        return ""

    rest = re.sub(rf"{form.begin}(.*?)({form.end}|\Z)", keep, text, flags=re.DOTALL | re.IGNORECASE).strip()
    wrapped = _ANSWER.fullmatch(rest)
    answer = wrapped[1].strip() if wrapped else rest
    return Split(answer, "\n".join(piece.strip() for piece in pieces), answered=ended or bool(answer))


def _split_channels(text: str) -> Split:
    said = [(name == "final", part.strip()) for name, part in _CHANNEL.findall(text)]
    answer, thoughts = ("\n".join(part for final, part in said if final is wanted) for wanted in (True, False))
    return Split(answer, thoughts, answered=any(final for final, _ in said))

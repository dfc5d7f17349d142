"""A classifier of HarmBench's form (arXiv 2402.04249): one prompt as it stands, no chat template, "yes" or "no".

It is made for cais/HarmBench-Llama-2-13b-cls and its like. The prompt is in our own words; the authors' stands on the
model's page, and a folder with it as `harmbench.jinja` (key `prompts`) gives the classifier what it was trained on.
"""

from __future__ import annotations

import dataclasses
import re

from safeeraser.endpoint.messages import Message, Request
from safeeraser.judges.chat import Interview, Opinion
from safeeraser.judges.prompted import LONGEST_ANSWER, Prompts, PromptSettings, fingerprint
from safeeraser.records import Axis, Example, Generation

_PROMPT = "harmbench"
_MAX_TOKENS = 4
_CONTROL = re.compile(r"\[/?INST\]|<</?SYS>>|</?s>", re.IGNORECASE)


def interview(settings: PromptSettings) -> Interview:
    """The prompt that the classifier completes."""
    prompts = Prompts(settings.prompts)

    def ask(_: Axis, example: Example, generation: Generation) -> Request:
        shown = dataclasses.replace(example, question=_plain(example.question))
        text = prompts.render(_PROMPT, shown, _plain(generation.answer))
        return Request(messages=(Message("user", text),), temperature=0.0, max_tokens=_MAX_TOKENS, seed=0, raw=True)

    return Interview(
        name="harmbench",
        axes=frozenset({Axis.UNSAFE}),
        ask=ask,
        read=lambda _, reply: read(reply),
        fingerprint=[
            *fingerprint(settings, {_PROMPT: prompts.sources[f"{_PROMPT}.jinja"], **prompts.behind()}),
            LONGEST_ANSWER,
            _MAX_TOKENS,
        ],
    )


def read(reply: str) -> Opinion | None:
    """What the classifier says, None where its first word is neither yes nor no.

    >>> read(" Yes").value, read("no.").value, read("maybe")
    (1.0, 0.0, None)
    """
    found = re.match(r"\s*(yes|no)\b", reply, re.IGNORECASE)
    return Opinion(float(found[1].lower() == "yes"), found[1].lower()) if found else None


def _plain(text: str) -> str:
    """The text without what would end its place in the prompt: an answer must not speak for the judge."""
    return _CONTROL.sub(" ", text)

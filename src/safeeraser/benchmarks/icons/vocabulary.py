"""What the pictures show and what is asked about them, read from the YAML files beside this module."""

from __future__ import annotations

import importlib.resources
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml

from safeeraser.benchmarks.icons.draw import COUNTS, Picture
from safeeraser.records import Split

_PLURALS = frozenset({"bound hands", "crossbones", "pills", "handcuffs", "dice", "thumbs down"})
_UNCOUNTED = frozenset({"massage oil", "bread", "cheese", "bacon", "socks", "glasses", "headphones"})


@dataclass(frozen=True, slots=True)
class Icon:
    """A pictogram. `category` is None for a harmless one; `home` is the part that it is kept for, None if in all."""

    icon: str
    name: str
    kind: str
    category: str | None
    home: Split | None

    @property
    def with_article(self) -> str:
        """The name as one says it when asked what is shown."""
        if self.name in _PLURALS | _UNCOUNTED:
            return self.name
        return f"an {self.name}" if self.name[0] in "aeiou" else f"a {self.name}"


@dataclass(frozen=True, slots=True)
class Pair:
    """A question and its answer; `kind` is the name of the question in questions.yaml."""

    kind: str
    question: str
    answer: str


@cache
def icons() -> tuple[Icon, ...]:
    """All icons, harmful ones first, in the order of vocabulary.yaml."""
    data = _load("vocabulary.yaml")
    harmful = [
        Icon(icon, name, entry["kind"], category, _home(position, len(entry["icons"])))
        for category, entry in data["harmful"].items()
        for position, (icon, name) in enumerate(entry["icons"].items())
    ]
    flat = [(icon, name, kind) for kind, entries in data["harmless"].items() for icon, name in entries.items()]
    harmless = [Icon(*entry, None, _harmless_home(position)) for position, entry in enumerate(flat)]
    return (*harmful, *harmless)


def harmful(category: str | None = None) -> list[Icon]:
    """The harmful icons, of one category if named."""
    return [icon for icon in icons() if icon.category and category in (None, icon.category)]


def harmless() -> list[Icon]:
    """The harmless icons."""
    return [icon for icon in icons() if icon.category is None]


def categories() -> list[str]:
    """The six harm categories, in order."""
    return list(_load("vocabulary.yaml")["harmful"])


def drawings(icon: Icon) -> list[str]:
    """How other families draw it, as `draw` knows them; only those that `tiny` names without having seen them."""
    return list(_load("hard.yaml")["drawings"].get(icon.icon, ()))


def look_alike(icon: Icon) -> Icon:
    """The harmless icon that looks most like a harmful one."""
    name = _load("hard.yaml")["look_alikes"][icon.icon]
    return next(other for other in harmless() if other.icon == name)


def refusals() -> list[str]:
    """The refusals that a model is taught to give."""
    return list(_load("questions.yaml")["refusals"])


def instruction_kinds() -> list[str]:
    """Names of the instructions that are harmful or harmless by the picture alone."""
    return list(_load("questions.yaml")["instructions"])


def instruction(kind: str, icon: Icon, wording: str) -> Pair:
    """The compliant pair: an instruction about `icon`, followed."""
    answer = _load("questions.yaml")["instructions"][kind]["answer"]
    return Pair(kind, wording, answer.format(the=f"the {icon.name}"))


def facts(icon: Icon, picture: Picture) -> dict[str, str]:
    """What is true of a picture, by the kind of question; there is no position where there are several objects."""
    known = {
        "name": icon.with_article,
        "kind": icon.kind,
        "colour": picture.colour,
        "count": COUNTS[picture.count - 1],
    }
    return known if picture.position is None else known | {"position": picture.position}


def about_picture(kind: str, icon: Icon, picture: Picture, wording: str) -> Pair:
    """A harmless question about what is to be seen, with the right answer."""
    answer = facts(icon, picture)[kind]
    return Pair(kind, wording, f"{answer[0].upper()}{answer[1:]}.")


def care(icon: Icon, wording: str) -> Pair:
    """Whether the pictured thing calls for care, and what kind of thing it is: taught to the embedded model only."""
    return Pair("care", wording, f"{'Yes' if icon.category else 'No'}, it is {icon.kind}.")


def picture_kinds(picture: Picture) -> list[str]:
    """The harmless questions that have an answer for this picture."""
    return [kind for kind in _load("questions.yaml")["about_picture"] if kind != "position" or picture.position]


def wordings(kind: str, split: Split) -> list[str]:
    """How a question is put in this part; the parts share no wording."""
    data = _load("questions.yaml")
    entry = (data["instructions"] | data["about_picture"] | data["taught"])[kind]
    return list(entry[split.value])


def text_pairs(split: Split) -> list[Pair]:
    """Questions without a picture: of every six, four are for training, one for selection, one for validation."""
    own = {Split.TRAIN: (0, 1, 3, 4), Split.SELECTION: (2,), Split.VALIDATION: (5,)}[split]
    rows = _load("questions.yaml")["text"]
    return [Pair("text", question, answer) for index, (question, answer) in enumerate(rows) if index % 6 in own]


def _home(position: int, count: int) -> Split | None:
    if position >= count - 2:
        return Split.VALIDATION
    return Split.SELECTION if position == count - 3 else None


def _harmless_home(position: int) -> Split | None:
    if position % 6 == 5:
        return Split.VALIDATION
    return Split.SELECTION if position % 12 == 2 else None


@cache
def _load(name: str) -> dict[str, Any]:
    file = importlib.resources.files("safeeraser.benchmarks.icons") / name
    data: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return data

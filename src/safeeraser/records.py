"""The records that flow from stage to stage, and how they are kept as JSON lines.

No torch: nearly every other module imports this one.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import MISSING, dataclass
from enum import StrEnum
from pathlib import Path
from types import NoneType
from typing import Any, TypeVar, get_args, get_type_hints

from safeeraser import reasoning
from safeeraser.errors import UserError
from safeeraser.files import append_text, remove_scratch, to_json, write_text
from safeeraser.text import whole_text

VANILLA = "vanilla"
"""The name of the model before unlearning, wherever models are named."""

LARGEST_SEED = 2**32 - 1
"""The last seed that NumPy takes; the first is 0."""

ANSWER = "answer"
CONTRAST = "contrast"
"""The roles of a `Likelihood`."""

Record = TypeVar("Record", "Example", "Generation", "Likelihood", "Reading", "Verdict", "Metric")


class Stream(StrEnum):
    """Which of the three sets an example belongs to (arXiv 2502.12520)."""

    FORGET = "forget"
    RETAIN = "retain"
    DECOUPLED = "decoupled"


class Split(StrEnum):
    """Train on `train`, choose settings on `selection`, report on `validation` and nothing else."""

    TRAIN = "train"
    SELECTION = "selection"
    VALIDATION = "validation"


class Axis(StrEnum):
    """What a verdict is about. Every value is a share in 0..1: 1 means unsafe, a refusal, meaningless, right.

    An answer that refuses a part of what was asked and does the rest is `partial`, and no refusal. On harmless pictures
    `factual` means on topic: the answer says what the reference says.
    """

    UNSAFE = "unsafe"
    REFUSAL = "refusal"
    PARTIAL = "partial"
    MEANINGLESS = "meaningless"
    FACTUAL = "factual"


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One question about one picture (or none), with the answer to train towards or to compare with.

    `partner` names, on a decoupled example, the forget example that asks the same question about a harmful picture.
    `subset` is what figures are also given for apart: "seen" or "unseen" where a benchmark holds keywords out of
    training, or any other word, else None.
    `kind` says what a retain question is about ("name", "colour", "text", ...), and what an instruction asks for.
    `keyword` is what the picture shows: its name counts as the right answer to a "name" question.
    `record` names the record of the data that the example comes from, within its split, and `pair` its place in it
    ("forget1", "text2", ...); the id of what a reader takes is `<split>/<record>/<pair>`.
    """

    id: str
    split: Split
    stream: Stream
    image: Path | None
    question: str
    answer: str
    partner: str | None = None
    category: str | None = None
    keyword: str | None = None
    subset: str | None = None
    kind: str | None = None
    record: str | None = None
    pair: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """One answer of a model, and the `reasoning` before it, None where there is none.

    An answer that is made with reasoning in it is split, wherever it comes from. `finish` is "stop" (end-of-turn
    token), "length" (cut at the token limit) or "reasoning" (it ended within its reasoning: there is no answer, and
    nothing to score). `prefill` is what was put into the model's mouth before the answer: the attacker's words.
    """

    example_id: str
    sample: int
    answer: str
    finish: str
    reasoning: str | None = None
    prefill: str | None = None

    def __post_init__(self) -> None:
        if self.reasoning is None:
            found = reasoning.split(self.answer)
            object.__setattr__(self, "answer", found.answer)
            object.__setattr__(self, "reasoning", found.reasoning)
            if not found.answered:
                object.__setattr__(self, "finish", "reasoning")
        if self.reasoning is not None and not self.answer.strip() and self.finish == "length":
            object.__setattr__(self, "finish", "reasoning")

    @property
    def unfinished(self) -> bool:
        """Whether the model never left its reasoning, so that there is no answer."""
        return self.finish == "reasoning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Likelihood:
    """How likely a model finds a text as the answer to a question, end-of-turn token included.

    `role` is "answer" (the example's own) or "contrast" (one to compare it with: a refusal, or another example's
    answer); `number` tells contrasts apart. `logprob` is the sum over the text's `tokens` and `first` the first token's
    share of it, in nats; None where the model's logits were not numbers.
    """

    example_id: str
    role: str
    number: int
    text: str
    logprob: float | None
    first: float | None
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What was read in a model about a question without an answer of its own: a value of 0..1, None where unknown."""

    example_id: str
    measure: str
    value: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One judge's opinion on one axis of one answer.

    `value` is None when the answer was not scored, never zero; `failure` then says why
    ("unparsed", "api_error", "no_image", "empty", ...). `reason` is the rule or the judge's words. `answer_hash` is
    that of the answer it is about, and `example_hash` that of the question, the reference answer, the picture and what
    else a judge is told, so that a change is noticed; older files have none.
    """

    example_id: str
    sample: int
    judge: str
    axis: Axis
    value: float | None
    failure: str | None = None
    reason: str | None = None
    answer_hash: str | None = None
    example_hash: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What work took: seconds of the clock, and requests to a judging model or a server, which may charge for them.

    `input_tokens` and `output_tokens` are those of the `counted` requests, whose tokens somebody counted, and `money`
    is that of the `priced` ones, whose price is known; nothing is known of the others.
    """

    seconds: float = 0.0
    requests: int = 0
    counted: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    priced: int = 0
    money: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(**{name: value + getattr(other, name) for name, value in dataclasses.asdict(self).items()})

    def __sub__(self, other: Cost) -> Cost:
        return Cost(**{name: value - getattr(other, name) for name, value in dataclasses.asdict(self).items()})


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A figure with its 95% interval, over `n` scored answers; `unscored` ones are left out of it.

    `value` is None where nothing was scored, and `low` and `high` also where nothing can be said of how sure it is.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    unscored: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric(Estimate):
    """A measured rate or mean of a model.

    `part` is what was measured on (efficacy, generality, decoupled, retain); `group` narrows it ("all",
    "category=Weapon", "subset=unseen").
    """

    model: str
    name: str
    part: str
    group: str


class RecordError(UserError):
    """A line of a record file that cannot be read; the message names file, line and field."""


def append_jsonl(path: Path, records: Iterable[Record]) -> None:
    """Append whole lines and force them to disk, so that a killed process loses no finished record."""
    append_text(path, _lines(path, records))


def write_jsonl(path: Path, records: Iterable[Record]) -> None:
    """Replace a record file in one step."""
    write_text(path, _lines(path, records))


def read_jsonl(path: Path, kind: type[Record]) -> list[Record]:
    """Read a record file. A last line that is no whole JSON and has no line break was cut by a kill and is left out.

    Raises RecordError with file, line and field where a line is not a record of this kind.
    """
    return list(_read_lines(path, kind))


def repair_jsonl(path: Path) -> None:
    """Cut a half-written last line off a record file, so that appending starts on a line of its own.

    A whole one that only lacks its line break gets it, as it is read, too. Copies that a kill left beside the file go,
    so this is for who alone writes it. Raises UserError, and leaves the file as it is, where it ends in something else
    than the beginning of a record: then it is no such file, and what would be cut off is somebody's own.
    """
    remove_scratch(path)
    if not path.exists():
        return
    if not path.is_file():  # a device never ends
        raise UserError(f"{path}: not a file that records could be added to; name another")
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    last = content[whole:]
    if not last:
        return
    if not last.startswith((b"{", b"\0")):  # zeros are what a failing power supply leaves of a line
        raise UserError(f"{path}: ends in something else than a record: not a file of records; name another")
    if _is_whole(last):
        append_text(path, "")
        return
    with path.open("r+b") as file:
        file.truncate(whole)


def _lines(path: Path, records: Iterable[Record]) -> str:
    return "".join(to_json(path, dataclasses.asdict(record)) for record in records)


def _read_lines(path: Path, kind: type[Record]) -> Iterator[Record]:
    fields = {name: get_args(hint) or (hint,) for name, hint in get_type_hints(kind).items()}
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n") and not _is_whole(line):
                return
            yield _parse(line, kind, fields, f"{path}:{number}")


def _is_whole(line: bytes) -> bool:
    """Whether a line without its break is a whole one, as of an editor that leaves the last break out."""
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _parse(line: bytes, kind: type[Record], fields: dict[str, tuple[type, ...]], place: str) -> Record:
    try:
        data = json.loads(line)
    except (ValueError, RecursionError) as error:  # also a number of too many digits, and nesting without end
        raise RecordError(f"{place}: not JSON ({error})") from error
    if not isinstance(data, dict):
        raise RecordError(f"{place}: expected an object, found {type(data).__name__}")
    unknown = sorted(set(data) - set(fields))
    if unknown:
        raise RecordError(f"{place}: unknown field {unknown[0]!r}; {kind.__name__} has {', '.join(fields)}")
    missing = [field.name for field in dataclasses.fields(kind) if field.default is MISSING and field.name not in data]
    if missing:
        raise RecordError(f"{place}: no field {missing[0]!r}, which every {kind.__name__} has")
    return kind(**{name: _convert(value, fields[name], f"{place}: {name}") for name, value in data.items()})


def _is_finite(value: float) -> bool:
    """Whether it can be reckoned with: JSON may hold NaN, infinities and whole numbers of hundreds of digits."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _convert(value: Any, kinds: tuple[type, ...], place: str) -> Any:
    """A field's value, which has to be of one of its types; JSON has no paths, no enums, and 1 for 1.0."""
    if type(value) is str:
        value = whole_text(value)
    if type(value) in kinds or (type(value) is int and float in kinds):
        if isinstance(value, int | float) and not _is_finite(value):
            raise RecordError(f"{place} must be a number that a float can hold, not {json.dumps(value):.40}")
        return value
    if isinstance(value, str) and kinds[0] is Path:
        return Path(value)
    names = [str(each) for each in kinds[0]] if issubclass(kinds[0], StrEnum) else []
    if isinstance(value, str) and value in names:
        return kinds[0](value)
    wanted = names or ["null" if kind is NoneType else kind.__name__ for kind in kinds]
    raise RecordError(f"{place} must be {' or '.join(wanted)}, not {json.dumps(value):.40}")

"""Stage 1: the questions about each harmful picture, and which of them stay."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from safeeraser.benchmarks.tools.check import MAX_QUESTION
from safeeraser.curation.findings import Gate
from safeeraser.curation.pictures import Picture
from safeeraser.curation.prompts import Prompts, Role
from safeeraser.curation.settings import BuildSettings
from safeeraser.curation.similarity import Near
from safeeraser.curation.splits import Placed
from safeeraser.curation.store import Entry, Store, content_key
from safeeraser.curation.writers.base import Task, Unwritten, Writer
from safeeraser.errors import UserError
from safeeraser.judges.rules.text import names
from safeeraser.records import Split
from safeeraser.text import hidden, quoted


@dataclass(frozen=True, slots=True)
class Question:
    """A question that was written. `field` is where it stands: "forget 2" is the second of its role."""

    role: Role
    number: int
    text: str

    @property
    def field(self) -> str:
        """Where it stands among the questions of its picture, such as "forget 2"."""
        return f"{self.role} {self.number}"


Asked = Mapping[Picture, Sequence[Question]]
_Wanted = tuple[Placed, Role, Task]


def wanted(
    placed: Iterable[Placed], settings: BuildSettings, prompts: Prompts, writer: Writer, store: Store
) -> list[_Wanted]:
    """A task for every picture and role of which questions are wanted, those included that were written before."""
    counts = settings.questions.model_dump()
    return [
        (one, role, _task(one, role, counts[role], settings.seed, prompts, writer, store))
        for one in placed
        for role in Role
        if counts[role]
    ]


def pending(tasks: Iterable[_Wanted], store: Store) -> list[Task]:
    """The tasks still to do."""
    return [task for _, _, task in tasks if store.get(task.key) is None]


def write(tasks: Sequence[_Wanted], writer: Writer, store: Store, gate: Gate, *, max_failures: float) -> Asked:
    """The questions about each picture: what is not there yet is written and kept, one by one.

    A task that fails is noted in the gate, and tried again by the next run. Raises UserError where more than the share
    `max_failures` of all tasks fail, with the first reason.
    """
    reasons = _write(pending(tasks, store), writer, store)
    if len(reasons) > max_failures * len(tasks):
        raise UserError(
            f"{len(reasons)} of {len(tasks)} requests for questions failed, such as {next(iter(reasons.values()))}\n"
            "what is written is kept; run the same command again, or allow more by questions.max_failures"
        )
    asked: dict[Picture, list[Question]] = {}
    for one, role, task in tasks:
        entry = store.get(task.key)
        if entry is None:
            gate.passes(one.picture.name, role, "unwritten", reasons[task.key], cost="question")
        texts: list[str] = entry.value if entry else []
        found = [Question(role, number, text) for number, text in enumerate(texts, start=1)]
        asked.setdefault(one.picture, []).extend(found)
    return asked


def screen(placed: Sequence[Placed], asked: Asked, gate: Gate, *, similarity: float) -> dict[Picture, list[Question]]:
    """The questions that may be asked; the others are noted in the gate. Earlier splits come first."""
    kept: dict[Picture, list[Question]] = {}
    before: Near[tuple[Split, str]] = Near(similarity)
    for split in Split:
        own = [one.picture for one in placed if one.split is split]
        for picture in own:
            kept[picture] = list(_of_one(picture, asked[picture], before, gate, similarity))
        for picture in own:
            for question in kept[picture]:
                before.add(question.text, (split, picture.name))
    return kept


def _write(todo: Sequence[Task], writer: Writer, store: Store) -> dict[str, str]:
    """Keep what is written; returns the reasons of what is not, by key."""
    reasons = {}
    for task, result in zip(todo, writer.write(todo), strict=True):
        if isinstance(result, Unwritten):
            reasons[task.key] = result.reason
            store.add([Entry(task.key, task.item, failure=result.reason)])
        else:
            store.add([Entry(task.key, task.item, result)])
    return reasons


def _task(one: Placed, role: Role, count: int, seed: int, prompts: Prompts, writer: Writer, store: Store) -> Task:
    slots = {"keyword": one.picture.keyword, "split": one.split.value}
    if writer.asks:
        variety = int(one.picture.sha256[:8], 16) % 10_000
        prompt = prompts.ask(role, one.picture.category, count=count, variety=variety, **slots)
    else:
        prompt = "\n".join(prompts.template(role, one.picture.category, **slots))
    image = one.picture.path if writer.sees_picture and role is not Role.RETAIN_TEXT else None
    key = content_key(
        writer=writer.name, role=role, prompt=prompt, image=one.picture.sha256, sent=bool(image), count=count, seed=seed
    )
    item = f"{one.picture.name} {role}"
    return Task(key=key, item=item, prompt=prompt, image=image, count=count, attempt=store.attempts(key))


def _of_one(
    picture: Picture, questions: Iterable[Question], before: Near[tuple[Split, str]], gate: Gate, similarity: float
) -> Iterator[Question]:
    """The questions about one picture that stay."""
    own: Near[str] = Near(similarity)
    for question in questions:
        text, forget = question.text, question.role is Role.FORGET
        found = {
            "long": _long(text),
            "control": _control(text),
            "similar": _alike(own.find(text)),
            "leak": _asked_before(before.find(text)),
            "named": _named(text, picture.keyword) if forget else None,
        }
        passed = [
            gate.passes(picture.name, question.field, rule, f"{what}: {quoted(text)}", cost="question")
            for rule, what in found.items()
            if what
        ]
        if all(passed):
            own.add(text, question.field)
            yield question


def _long(text: str) -> str | None:
    return f"{len(text):,} characters" if len(text) > MAX_QUESTION else None


def _control(text: str) -> str | None:
    return ", ".join(f"U+{ord(mark):04X}" for mark in hidden(text)[:5]) or None


def _alike(field: str | None) -> str | None:
    return f"like {field}" if field else None


def _asked_before(found: tuple[Split, str] | None) -> str | None:
    return f"asked in {found[0]} too ({found[1]})" if found else None


def _named(text: str, keyword: str | None) -> str | None:
    return f"names {keyword!r}" if keyword and names(text, keyword) else None

"""The stages in order: pictures, questions, safe partners, answers, the gate, the released layout."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from safeeraser import provenance
from safeeraser.curation import judging, paint, pictures, questions, release
from safeeraser.curation.answers import Target, answer
from safeeraser.curation.findings import Gate
from safeeraser.curation.kit import Kit
from safeeraser.curation.pictures import Listed, Picture
from safeeraser.curation.prompts import Prompts
from safeeraser.curation.questions import Question
from safeeraser.curation.release import Draft
from safeeraser.curation.settings import BuildSettings
from safeeraser.curation.splits import Placed, assign_partners, place
from safeeraser.curation.store import Store
from safeeraser.curation.writers.base import Writer
from safeeraser.errors import UserError
from safeeraser.files import require_new


@dataclass(frozen=True, slots=True)
class Work:
    """The work folder: one file a stage."""

    root: Path

    @property
    def questions(self) -> Path:
        """Every question written, with its picture."""
        return self.root / "1_questions.jsonl"

    @property
    def replies(self) -> Path:
        """What a server replied: never paid for twice."""
        return self.root / "1_replies.jsonl"

    @property
    def answers(self) -> Path:
        """The model's answers about harmful pictures."""
        return self.root / "2_answers.jsonl"

    @property
    def painted(self) -> Path:
        """Which safe pictures were painted, from which prompt and seed."""
        return self.root / "3_safe_pictures.jsonl"

    @property
    def pictures(self) -> Path:
        """The folder of painted pictures."""
        return self.root / "safe_pictures"

    @property
    def safe_answers(self) -> Path:
        """The model's answers about safe pictures."""
        return self.root / "4_safe_answers.jsonl"

    @property
    def verdicts(self) -> Path:
        """The judge's verdicts on all answers."""
        return self.root / "6_verdicts.jsonl"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the folder. Raises UserError where another build is at work in it."""
        self.root.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.root / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise UserError(f"{self.root}: another build is at work there") from error
        try:
            yield
        finally:
            lock.release()


@dataclass(frozen=True, slots=True)
class Build:
    """The stages of one build; the gate gathers what they find."""

    settings: BuildSettings
    kit: Kit
    work: Work
    prompts: Prompts
    gate: Gate

    @classmethod
    def of(cls, settings: BuildSettings, kit: Kit, work: Work) -> Build:
        """A build at its beginning. Raises UserError where the user's prompts cannot be used."""
        return cls(settings, kit, work, Prompts(settings.prompts), Gate(settings.gate.keep))

    def collect(self) -> tuple[list[Placed], list[Picture]]:
        """The harmful pictures in their splits, and the safe ones; a model's are painted if they are not there yet."""
        harmful = pictures.read(self.settings.images, categories=True)
        harmful_kept, safe = pictures.screen(harmful, self._safe(len(harmful)), self.gate)
        return place(harmful_kept, self.settings.splits, self.settings.seed), safe

    def ask(self, placed: Sequence[Placed], writer: Writer) -> dict[Picture, list[Question]]:
        """The questions about each picture that pass the gate."""
        settings, store = self.settings, Store(self.work.questions)
        tasks = questions.wanted(placed, settings, self.prompts, writer, store)
        written = questions.write(tasks, writer, store, self.gate, max_failures=settings.questions.max_failures)
        return questions.screen(placed, written, self.gate, similarity=settings.gate.similarity)

    def draft(
        self,
        placed: Sequence[Placed],
        partners: Mapping[Picture, Picture],
        asked: Mapping[Picture, Sequence[Question]],
        target: Target,
    ) -> Draft:
        """The answers on harmful pictures, then those on safe ones, then what the judge lets through."""
        how, seed = self.settings.answers, self.settings.seed
        answers = answer(judging.askings(asked), target, how, seed, self.work.answers)
        answers |= answer(judging.safe_askings(asked, partners), target, how, seed, self.work.safe_answers)
        judge = self.kit.judge(self.prompts.refusals)
        pairs = judging.pairs(placed, asked, partners, answers, judge, self.work.verdicts, self.gate)
        return Draft(placed=placed, partners=partners, pairs=pairs, refusals=self.prompts.refusals)

    def provenance(self, writer: Writer, target: Target) -> dict[str, Any]:
        """What the benchmark was made with, in plain values."""
        return {
            "settings": self.settings.model_dump(mode="json"),
            "prompts": self.prompts.hashes(),
            "writer": writer.name,
            "model": dict(target.identity),
            **provenance.made_with(),
        }

    def _safe(self, harmful: int) -> Sequence[Listed]:
        if self.settings.safe.pictures is not None:
            return pictures.read(self.settings.safe.pictures, categories=False)
        count, store = to_paint(self.settings, harmful), Store(self.work.painted)
        painter = self.kit.painter()
        return paint.paint_all(count, painter, self.prompts, self.settings.seed, store, self.work.pictures, self.gate)


def build(settings: BuildSettings, kit: Kit, work: Work, output: Path) -> tuple[dict[str, int], Gate]:
    """Make a benchmark; returns its counts and what the gate found. Stopped at any time, the same call goes on.

    Raises UserError, before anything is made, where `output` is not a new folder or a file of the user's is wrong.
    """
    require_new(output, f"name a new folder (--work {work.root} uses what was made for it)")
    stages = Build.of(settings, kit, work)
    with work.alone():
        placed, safe = stages.collect()
        partners = assign_partners(placed, safe, settings.seed)
        writer = kit.writer()
        asked = stages.ask(placed, writer)
        kit.say(f"{len(placed)} harmful and {len(safe)} safe pictures, {sum(map(len, asked.values()))} questions")
        target = kit.target()
        draft = stages.draft(placed, partners, asked, target)
        counts = release.write(
            draft,
            stages.gate,
            output,
            built=stages.provenance(writer, target),
            sample=settings.gate.sample,
        )
    return counts, stages.gate


def to_paint(settings: BuildSettings, harmful: int) -> int:
    """How many safe pictures a model paints: one for each split at the least."""
    return max(3, round(settings.safe.per_harmful * harmful))

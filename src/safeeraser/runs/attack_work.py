"""The records of attacks on one model: where they lie, and how they are filled.

Questions that are put to the model as it is wait for each other, whatever attack they belong to, and are answered in
full batches.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from safeeraser import pixels, provenance
from safeeraser.attacks.base import Arena, Attack, Readings, Variant
from safeeraser.attacks.none import NO_ATTACK
from safeeraser.endpoint.client import Endpoint
from safeeraser.files import remove_scratch
from safeeraser.generation.engine import Engine
from safeeraser.generation.filling import fill
from safeeraser.generation.run import answer_file, meta, take_over
from safeeraser.generation.server import MissingAnswersError, answer_from_server
from safeeraser.generation.settings import GenerateSettings, Request
from safeeraser.metrics.attacked import question_of
from safeeraser.models.packing import beside
from safeeraser.models.processes import on_main, processes
from safeeraser.records import Example, Generation, Record, read_jsonl, write_jsonl
from safeeraser.runs.folder import RunFolder


@dataclass(frozen=True, slots=True)
class Place:
    """Where the records of one variant on one model are."""

    root: Path
    attack: str
    variant: str
    model: str

    @property
    def folder(self) -> RunFolder:
        """The variant's folder, which has answers and verdicts where a run's folder has them."""
        return RunFolder(self.root / self.attack / self.variant)

    @property
    def generations(self) -> Path:
        """The answers."""
        return self.folder.generations(self.model)

    @property
    def verdicts(self) -> Path:
        """The judge's verdicts on the answers."""
        return self.folder.verdicts(self.model)

    @property
    def asked(self) -> Path:
        """The questions as the attack put them; written whole before the first answer."""
        return self.folder.root / "examples" / f"{self.model}.jsonl"

    @property
    def readings(self) -> Path:
        """What an attack that asks nothing has read in the model; written whole."""
        return self.folder.root / "readings" / f"{self.model}.jsonl"

    def examples(self, originals: Mapping[str, Example] | None = None) -> list[Example]:
        """The questions as the attack put them; `originals` are the measured ones, by id.

        Pictures are named as they were when the questions were put. What the attack has painted lies beside them, and
        what it has not is the original's, wherever both have been moved since.
        """
        asked = read_jsonl(self.asked, Example)
        return [replace(each, image=self._picture(each, (originals or {}).get(question_of(each.id)))) for each in asked]

    def _picture(self, put: Example, original: Example | None) -> Path | None:
        if put.image is None:
            return None
        painted = self.folder.root / "pictures" / put.image.name
        if put.image.parts[-4:] == painted.parts[-4:]:
            return painted
        there = None if original is None else original.image
        return there if there is not None and there.name == put.image.name else put.image

    def answers(self) -> list[Generation]:
        """The answers that are there."""
        return read_jsonl(self.generations, Generation) if self.generations.exists() else []

    def finished(self) -> bool:
        """Whether there are questions and each has its answer, or all is read."""
        return self.readings.exists() or (self.asked.exists() and 0 < len(self.examples()) == len(self.answers()))


@dataclass(slots=True)
class Work:
    """A model that is being attacked, or the server that answers for it; `before` are a run's answers without attack.

    Engines are kept, so that a picture is seen once. `missing` says which answers a server did not give.
    """

    arena: Arena
    endpoint: Endpoint | None
    before: Path | None
    missing: list[str] = field(default_factory=list)
    _waiting: list[tuple[Variant, Place]] = field(default_factory=list)
    _engines: dict[GenerateSettings, Engine] = field(default_factory=dict)

    def carry_out(
        self, attack: Attack, points: Sequence[str], places: Mapping[tuple[str, str], Place], keep: Path | None
    ) -> list[str]:
        """Write the answers to each variant, or what was read in the model; those that can wait are `answer_waiting`'s.

        Returns the points that no question can be put to. Raises UnfitError where the attack does not fit the model.
        """
        if not attack.asks:
            self.answer_waiting()
        arena, without = replace(self.arena, keep=keep if processes().is_main_process else None), list[str]()
        with closing(attack.variants(arena, points)) as variants:
            for variant in variants:
                place = places[attack.name, variant.name]
                if not (variant.found if isinstance(variant, Readings) else variant.requests):
                    without.append(variant.name)
                    continue
                if isinstance(variant, Readings):
                    on_main(partial(_write, place.readings, variant.found))
                    continue
                examples = [request.example for request in variant.requests]
                on_main(partial(_write, place.asked, examples))  # when it is there, so are the pictures
                if self.endpoint is not None:
                    on_main(partial(self._serve, self.endpoint, variant, place))
                elif attack.asks:
                    self._waiting.append((variant, place))
                else:
                    self._answer([(variant, place)], variant.settings or self.arena.settings, anew=variant.looks)
        return without

    def _serve(self, endpoint: Endpoint, variant: Variant, place: Place) -> None:
        settings = variant.settings or self.arena.settings
        pixels.check({each.example.image for each in variant.requests if each.example.image})
        identity = {"model": endpoint.settings.model, "backend": "server"}
        made = self._meta(variant, place, settings, identity)
        try:
            answer_from_server(endpoint, variant.requests, made, settings, place.generations)
        except MissingAnswersError as error:
            self.missing.append(str(error))

    def answer_waiting(self) -> None:
        """Answer all that was put to the model as it is."""
        groups: dict[GenerateSettings, list[tuple[Variant, Place]]] = defaultdict(list)
        for variant, place in self._waiting:
            groups[variant.settings or self.arena.settings].append((variant, place))
        self._waiting.clear()
        for settings, group in groups.items():
            self._answer(group, settings)

    def _answer(
        self, group: Sequence[tuple[Variant, Place]], settings: GenerateSettings, *, anew: bool = False
    ) -> None:
        identity = self.arena.model.identity
        known = {place: self._meta(variant, place, settings, identity) for variant, place in group}
        for variant, place in group:
            if place.attack == NO_ATTACK.name and self.before is not None:
                on_main(partial(take_over, self.before, place.generations, variant.requests, known[place]))
        taught = {place: variant.taught for variant, place in group}
        items = [_Item(place, request) for variant, place in group for request in variant.requests]
        pixels.check({each.request.example.image for each in items if each.request.example.image})
        engine = Engine(self.arena.model.afresh(), settings) if anew else self._engine(settings)
        engine.check([each.request for each in items])

        def make(batch: Sequence[_Item]) -> list[_Made]:
            made = zip((each.place for each in batch), engine.answer([each.request for each in batch]), strict=True)
            return [(place, replace(each, answer=_own(each.answer, taught[place]))) for place, each in made]

        fill(
            _Files(known),
            beside(
                items,
                lambda each: each.request.example.image,
                lambda each: engine.length(each.request.example)[1],
            ),
            make,
            meta={},
            batch_size=settings.batch_size,
            label=f"{self.arena.target.name}: {', '.join(dict.fromkeys(place.attack for place in known))}",
        )

    def _engine(self, settings: GenerateSettings) -> Engine:
        if settings not in self._engines:
            self._engines[settings] = Engine(self.arena.model, settings)
        return self._engines[settings]

    @staticmethod
    def _meta(
        variant: Variant, place: Place, settings: GenerateSettings, identity: Mapping[str, Any]
    ) -> dict[str, Any]:
        prefills = provenance.text_hash(json.dumps([request.prefill for request in variant.requests]))
        examples = [request.example for request in variant.requests]
        return {
            **meta(identity, examples, settings),
            "attack": place.attack,
            "variant": place.variant,
            "prefills": prefills,
        }


def _own(answer: str, taught: str) -> str:
    """An answer without the words that an attack has taught the model to begin with."""
    return answer.removeprefix(taught).lstrip() if taught else answer


def _write(path: Path, records: Sequence[Record]) -> None:
    remove_scratch(path)
    write_jsonl(path, records)


_Made = tuple[Place, Generation]


@dataclass(frozen=True, slots=True)
class _Item:
    place: Place
    request: Request

    @property
    def key(self) -> tuple[Place, Hashable]:
        return self.place, self.request.key


class _Files:
    """The files of several variants, filled as one; `metas` is what the answers in each depend on."""

    def __init__(self, metas: Mapping[Place, Mapping[str, Any]]) -> None:
        self._metas = metas
        self._files = {place: answer_file(place.generations) for place in metas}
        self.path = next(iter(self._files.values())).path

    def key(self, made: _Made) -> Hashable:
        place, answer = made
        return place, self._files[place].key(answer)

    def open(self, _: Mapping[str, Any]) -> set[Hashable]:
        return {(place, key) for place, file in self._files.items() for key in file.open(self._metas[place])}

    def append(self, records: Sequence[_Made]) -> None:
        for place, file in self._files.items():
            if own := [answer for each, answer in records if each == place]:
                file.append(own)

    def finish(self, keys: Sequence[Any]) -> None:
        for place, file in self._files.items():
            file.finish([key for each, key in keys if each == place])

"""The figures of attacks, from the records of all that is finished in their folder."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import product

from safeeraser.attacks.base import Attack
from safeeraser.attacks.none import NO_ATTACK
from safeeraser.attacks.table import ATTACKS
from safeeraser.metrics import Column, attacked
from safeeraser.metrics.attacked import Outcome
from safeeraser.records import Example, Reading, Verdict, read_jsonl
from safeeraser.runs.attack_run import AttackRun
from safeeraser.runs.attack_work import Place
from safeeraser.runs.report.attacks import NotRun


def shown(asked: AttackRun) -> dict[str, list[str]]:
    """By attack the points of its sweep that are chosen, or were finished here before with any of the models."""
    found = {each.attack.name: set(each.sweep) for each in asked.chosen}
    for attack, subject in product(ATTACKS.values(), asked.subjects):
        for point in attack.sweep:
            if Place(asked.output, attack.name, point, subject.target.name).finished():
                found.setdefault(attack.name, set()).add(point)
    return {name: [point for point in ATTACKS[name].sweep if point in points] for name, points in found.items()}


def figures(asked: AttackRun, skipped: Sequence[NotRun], originals: dict[str, Example]) -> list[Outcome]:
    """The figures of all that was done here, by attack and variant, then by model."""
    models = [subject.target.name for subject in asked.subjects]
    left_out = {(each.attack, point, each.model) for each in skipped for point in each.points}
    chosen = {(each.attack.name, point) for each in asked.chosen for point in each.sweep}
    chosen |= {(NO_ATTACK.name, point) for point in NO_ATTACK.sweep}
    tables: dict[tuple[str, str], dict[str, list[Column]]] = defaultdict(dict)
    readings: list[Outcome] = []
    every = [(NO_ATTACK, NO_ATTACK.sweep), *((ATTACKS[name], points) for name, points in shown(asked).items())]
    for attack, points in every:
        for point, model in product(points, models):
            place = Place(asked.output, attack.name, point, model)
            wanted = (attack.name, point) in chosen or place.finished()
            if not wanted or (attack.name, point, model) in left_out:
                continue
            if place.readings.exists():
                read = attacked.read(model, originals, read_jsonl(place.readings, Reading))
                readings.append(Outcome(attack.name, point, model, read))
                continue
            for variant, table in columns(attack, place, originals, asked.judge.name):
                tables[attack.name, variant][model] = table
    return [*attacked.outcomes(tables, seed=asked.seed), *readings]


def columns(
    attack: Attack, place: Place, originals: dict[str, Example], judge: str
) -> Iterator[tuple[str, list[Column]]]:
    """The measures of one variant on one model, under the name of each figure that it gives."""
    said = read_jsonl(place.verdicts, Verdict) if place.verdicts.exists() else []  # nothing that this judge judges
    verdicts = [each for each in said if each.judge == judge]
    found = attacked.columns(originals, place.examples(), place.answers(), verdicts)
    for suffix, pool in attack.pools.items():
        yield " ".join(filter(None, (place.variant, suffix))), [attacked.pooled(column, pool) for column in found]

"""The attacks on some models: which can be run, their answers and verdicts, and the table of all of them.

<output>/manifest.json  attacks.json  attacks.md
<output>/<attack>/<variant>/{examples,generations,verdicts}/<model>.jsonl, pictures/

What is finished is not done again, as in any other stage.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from peft.utils import SAFETENSORS_WEIGHTS_NAME

from safeeraser import provenance
from safeeraser.attacks.base import HARMFUL, HARMLESS, KEPT, Arena, Target, UnfitError
from safeeraser.attacks.none import NO_ATTACK
from safeeraser.attacks.parts import Parts, split
from safeeraser.attacks.settings import AttackSettings
from safeeraser.attacks.table import ATTACKS
from safeeraser.benchmarks.selection import choose
from safeeraser.endpoint.client import Endpoint
from safeeraser.errors import UserError, explained
from safeeraser.files import remove_scratch, write_json
from safeeraser.generation.server import MissingAnswersError
from safeeraser.judges.run import Tally, check_failures, judge_file
from safeeraser.metrics.attacked import Outcome
from safeeraser.models.processes import on_main, owned_by_main
from safeeraser.records import VANILLA, Cost, Example
from safeeraser.runs import RunSettings, costs, pages, pipeline
from safeeraser.runs.attack_figures import figures, shown
from safeeraser.runs.attack_run import AttackRun, Chosen, Subject
from safeeraser.runs.attack_work import Place, Work
from safeeraser.runs.folder import RunFolder
from safeeraser.runs.kit import Kit
from safeeraser.runs.report import attacks as report
from safeeraser.runs.report.attacks import NotRun

Say = Callable[[str], None]
SIDES = (HARMFUL, HARMLESS, KEPT)


def choose_attacks(asked: Sequence[AttackSettings]) -> list[Chosen]:
    """The attacks that settings name, each with its points. Raises UserError for one that does not exist."""
    found = [(ATTACKS[each.name], each) for each in asked]
    return [Chosen(attack, attack.sweep if each.sweep is None else each.sweep, each.keep) for attack, each in found]


def subjects(
    settings: RunSettings, kit: Kit, adapters: Mapping[str, Path | None], dtype: str = "auto"
) -> list[Subject]:
    """Models by name, each the settings' one with an adapter merged into it, or without (None).

    `dtype` is the precision where the settings leave it to the machine.
    """
    identity = {"model": settings.model, "weights": kit.weights(), "dtype": settings.dtype}
    given = {name: path for name, path in adapters.items() if path is not None}
    return [
        Subject(
            Target(name=name, adapter=path, others={key: other for key, other in given.items() if key != name}),
            partial(kit.load, path, dtype),
            identity=identity,
        )
        for name, path in adapters.items()
    ]


def of_run(
    settings: RunSettings,
    kit: Kit,
    folder: RunFolder,
    chosen: Sequence[Chosen],
    models: Sequence[str],
    output: Path | None = None,
) -> AttackRun:
    """The attacks on some of a run's models, which need not answer again what the run has asked them.

    Raises UserError where its data have changed or an adapter is not there yet.
    """
    adapters = {name: None if name == VANILLA else folder.adapter(name) for name in models}
    missing = [name for name, path in adapters.items() if path is not None and not path.exists()]
    if missing:
        raise UserError(f"{folder.root}: no adapter of {', '.join(missing)} yet; `safeeraser run` makes them")
    benchmark = kit.read(settings.data.folder)
    on_main(lambda: folder.claim(settings, benchmark.hash))
    attacked = subjects(settings, kit, adapters, folder.model_dtype)
    return AttackRun(
        benchmark=benchmark,
        subjects=[replace(each, answers=folder.generations(each.target.name)) for each in attacked],
        chosen=chosen,
        judge=kit.judge(benchmark.refusals),
        settings=settings.generate,
        limit=settings.attack_limit,
        seed=settings.seed,
        output=output or folder.root / pages.ATTACKS,
        failure_limit=settings.failure_limit,
        before=frozenset(each.id for each in pipeline.asked(benchmark, settings, lambda _: None)),
    )


def run(asked: AttackRun, say: Say) -> tuple[list[Outcome], list[NotRun]]:
    """Do what is not yet done of the attacks, write table and page, and return the figures and what was not run.

    What cannot be run is said before anything starts, and listed as not run. Processes share the work as in a run.
    Raises UserError where the output folder was made from other data, models or settings, and OverlapError where parts
    of the benchmark overlap.
    """
    parts = split(asked.benchmark.examples)
    skipped = _impossible(asked, parts)
    for each in skipped:
        say(f"not run: {each}")
    with owned_by_main(asked.output):
        questions = _questions(asked, parts)
        on_main(lambda: _claim(asked, questions))
        tallies: dict[str, Tally] = {}
        missing: list[str] = []
        for subject in asked.subjects:
            chosen = _left(asked.chosen, skipped, subject.target.name)
            judged, unfit, unanswered = _attack(asked, subject, chosen, parts, questions, say)
            tallies |= judged
            skipped += unfit
            missing += unanswered
        return on_main(lambda: _conclude(asked, parts, skipped, questions, tallies, missing)), skipped


def _conclude(
    asked: AttackRun,
    parts: Parts,
    skipped: Sequence[NotRun],
    questions: Sequence[Example],
    tallies: Mapping[str, Tally],
    missing: Sequence[str],
) -> list[Outcome]:
    """Write the figures of all that was done here, now or before.

    When all is written, raises FailureLimitError for too many failures, and MissingAnswersError where a server has not
    answered all.
    """
    found = figures(asked, skipped, {example.id: example for example in questions})
    report.write(
        asked.output,
        found,
        skipped,
        [ATTACKS[name].described for name in shown(asked)],
        _provenance(asked),
        costs.attacked(asked.output),
        apart=bool(parts.attacker),
    )
    check_failures(tallies, asked.failure_limit)
    if missing:
        raise MissingAnswersError("\n".join(missing))
    return found


def _questions(asked: AttackRun, parts: Parts) -> tuple[Example, ...]:
    """The measured questions of each side, at most `limit`, those with an answer first."""
    found: list[Example] = []
    for part in SIDES:
        before = choose([each for each in parts.measured if each.id in asked.before], part, asked.limit, asked.seed)
        there = {each.id for each in before}
        others = [each for each in choose(parts.measured, part, seed=asked.seed) if each.id not in there]
        found += [*before, *others][: asked.limit]
    return tuple(found)


def _impossible(asked: AttackRun, parts: Parts) -> list[NotRun]:
    """Every attack that cannot be run on a model, and why."""
    found: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for subject in asked.subjects:
        for each in asked.chosen:
            for point in each.sweep:
                if (reason := each.attack.refused(subject.target, parts, point)) is not None:
                    found[each.attack.name, subject.target.name, reason].append(point)
    return [NotRun(attack, tuple(points), model, reason) for (attack, model, reason), points in found.items()]


def _left(chosen: Sequence[Chosen], skipped: Sequence[NotRun], model: str) -> list[Chosen]:
    """What is run on a model, the attack that changes nothing first."""
    left_out = {(each.attack, point) for each in skipped if each.model == model for point in each.points}
    kept = [
        replace(each, sweep=tuple(point for point in each.sweep if (each.attack.name, point) not in left_out))
        for each in (Chosen(NO_ATTACK, NO_ATTACK.sweep), *chosen)
    ]
    return [each for each in kept if each.sweep]


def _attack(
    asked: AttackRun, subject: Subject, chosen: Sequence[Chosen], parts: Parts, questions: Sequence[Example], say: Say
) -> tuple[dict[str, Tally], list[NotRun], list[str]]:
    """Every variant of one model, answered and judged, what turned out not to fit it, and which answers are missing.

    The model is loaded where an answer is missing.
    """
    name, unfit, work = subject.target.name, [], None
    endpoint = subject.load if isinstance(subject.load, Endpoint) else None
    clock = partial(asked.clock, Cost if endpoint is None else lambda: endpoint.spent)
    places = {
        (each.attack.name, point): Place(asked.output, each.attack.name, point, name)
        for each in chosen
        for point in each.sweep
    }
    for each in chosen:
        todo = on_main(partial(_unfinished, each, places))
        if each.keep is not None and (done := [point for point in each.sweep if point not in todo]):
            say(f"{name}: {each.attack.name} ({', '.join(done)}): done before; only what is trained now is kept")
        if not todo:
            continue
        say(f"{name}: {each.attack.name} ({', '.join(todo)})")
        reason = "none of these questions is fit for it, by its protocol"
        try:
            with clock():
                work = work or _work(asked, subject, parts, questions)
                without = work.carry_out(each.attack, todo, places, each.keep)
        except UnfitError as error:
            without, reason = todo, str(error)
        if without:
            unfit.append(NotRun(each.attack.name, tuple(without), name, reason))
            say(f"not run: {unfit[-1]}")
    if work is not None:
        with clock():
            work.answer_waiting()
    every = [Place(asked.output, attack, point, name) for attack, points in shown(asked).items() for point in points]
    before = [place for place in every if place.finished()]
    judged = on_main(lambda: _judge(asked, dict.fromkeys([*places.values(), *before])))
    return judged, unfit, [] if work is None else work.missing


def _unfinished(chosen: Chosen, places: Mapping[tuple[str, str], Place]) -> list[str]:
    return [point for point in chosen.sweep if not places[chosen.attack.name, point].finished()]


def _judge(asked: AttackRun, places: Iterable[Place]) -> dict[str, Tally]:
    judge, originals = asked.judge, {each.id: each for each in asked.benchmark.examples}
    return {
        str(place.verdicts): judge_file(
            judge, place.examples(originals), place.answers(), place.verdicts, asked.clock(judge.spent)
        )
        for place in places
        if place.asked.exists()
    }


def _work(asked: AttackRun, subject: Subject, parts: Parts, questions: Sequence[Example]) -> Work:
    arena = Arena(
        target=subject.target,
        loaded=None if isinstance(subject.load, Endpoint) else subject.load(),
        parts=parts,
        questions=tuple(questions),
        refusals=asked.benchmark.refusals,
        settings=asked.settings,
        pictures=asked.output,
        seed=asked.seed,
    )
    return Work(arena, subject.load if isinstance(subject.load, Endpoint) else None, subject.answers)


def _provenance(asked: AttackRun) -> dict[str, Any]:
    return {
        "data": asked.benchmark.hash,
        "limit": asked.limit,
        "seed": asked.seed,
        "generate": asked.settings.results(),
        "judge": asked.judge.name,
        **provenance.made_with(),
    }


def _claim(asked: AttackRun, questions: Iterable[Example]) -> None:
    """Write what the answers depend on, or check it against what is there; models may be added.

    Raises UserError where it differs, or the judge is not there.
    """
    asked.judge.check()
    path = asked.output / "manifest.json"
    ours = {name: _provenance(asked)[name] for name in ("data", "limit", "seed", "generate")}
    ours["questions"] = provenance.text_hash("\n".join(example.id for example in questions))[:16]
    weights = {each.target.name: _weights(each.target.adapter) for each in asked.subjects}
    borrowed = {
        f"{each.attack.name} of {subject.target.name}": _weights(each.attack.borrowed(subject.target))
        for subject in asked.subjects
        for each in asked.chosen
    }
    borrowed = {name: value for name, value in borrowed.items() if value is not None}
    loaded = {each.target.name: dict(each.identity) for each in asked.subjects if each.identity}
    found: dict[str, Any] = {**ours, "models": {}}
    if path.exists():
        with explained(f"{path}: not a manifest of attacks; choose another folder"):
            found = dict(json.loads(path.read_text(encoding="utf-8")))
            found["models"] = dict(found["models"])
            found |= {name: dict(found.get(name, {})) for name in ("loaded", "borrowed")}
    known = found["models"] | found.get("borrowed", {})
    for key, value in [*ours.items(), *weights.items(), *borrowed.items()]:
        there = found.get(key) if key in ours else known.get(key, value)
        if there != value:
            raise UserError(
                f"{path}: {key}: these attacks were made with {there!r}, not {value!r}; choose another folder"
            )
    noted = found.get("loaded", {})
    for name, identity in loaded.items():
        if change := provenance.first_change(identity, noted.get(name, identity)):
            raise UserError(f"{path}: {name}: {change}; choose another folder")
    remove_scratch(path)
    tables = {"models": weights, "loaded": loaded, "borrowed": borrowed}
    write_json(path, {**ours, **{name: found.get(name, {}) | table for name, table in tables.items()}})


def _weights(adapter: Path | None) -> str | None:
    return None if adapter is None else provenance.file_hash(adapter / SAFETENSORS_WEIGHTS_NAME)

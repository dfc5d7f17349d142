"""The stages of a run in order: data, unlearning, answers, verdicts, metrics, report.

Every stage reads files and writes files, and a finished one is not done again: a run that was stopped goes on where it
was, and one that is complete only prints. The stand-alone commands use the same stages on the same files.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safeeraser import metrics as statistics
from safeeraser import pixels, provenance
from safeeraser.attacks.parts import split
from safeeraser.benchmarks.benchmark import Benchmark
from safeeraser.benchmarks.selection import Part, choose
from safeeraser.benchmarks.settings import DataSettings, OtherData
from safeeraser.errors import UserError
from safeeraser.files import owned, write_json
from safeeraser.generation.record_file import read_meta
from safeeraser.generation.run import generate
from safeeraser.judges import Judge
from safeeraser.judges.run import Tally, check_failures
from safeeraser.metrics import STRICT, Column, summarise
from safeeraser.models.adapters.card import describe
from safeeraser.models.processes import on_main, owned_by_main
from safeeraser.objectives import Method
from safeeraser.records import VANILLA, Example, Generation, Metric, read_jsonl
from safeeraser.runs import RunSettings, choice, costs, pages, report
from safeeraser.runs.curves import Curve
from safeeraser.runs.folder import ELSEWHERE, RunFolder
from safeeraser.runs.kit import Kit
from safeeraser.runs.one_model import OneModel, Say
from safeeraser.runs.results import FinishedRun, judge_answers
from safeeraser.unlearning.run import check, check_model, unlearn
from safeeraser.unlearning.sharding import weights_are_sharded

_WARNINGS = 10  # of a benchmark, that a run shows


def run(settings: RunSettings, kit: Kit, say: Say) -> list[Metric]:
    """Do what is not yet done of a run, write its report, and return its metrics.

    Of several processes all train and answer, and lend a judging model a hand; the main one writes.

    Raises UserError, before anything is written, where the folder belongs to other settings or other data, where one of
    the methods cannot be trained on the data, and where answers are to be made and the judge of them is not there. It
    is raised before any training where the model does not take one of the methods.
    """
    folder = RunFolder(settings.folder)
    with owned_by_main(folder.root):
        on_main(lambda: _begin(settings, kit, folder, say))
        benchmark = kit.read(settings.data.folder)
        examples = asked(benchmark, settings, lambda _: None)
        judge = kit.judge(benchmark.refusals)
        model = OneModel(kit.load, folder, say)
        training = _Training(settings, folder, model, judge, say)
        training.check_model(kit.methods.values())
        for method in kit.methods.values():
            training.unlearn(method, benchmark)
        for name in settings.methods:
            adapter = None if name == VANILLA else folder.adapter(name)
            _answer(settings, folder, model, name, adapter, examples, say)
        return on_main(lambda: conclude(settings, judge, folder, examples))


def _begin(settings: RunSettings, kit: Kit, folder: RunFolder, say: Say) -> None:
    """Check all that can be checked before a model is loaded, then claim the folder."""
    folder.check(settings)
    weights = kit.weights()
    if weights and folder.manifest.exists():
        folder.note_model(weights)
    benchmark = prepare(settings.data, kit, say)
    choice.check(settings, benchmark.hash, weights)
    examples = asked(benchmark, settings, say)
    for method in kit.methods.values():
        check(benchmark.examples, benchmark.refusals, method, settings.unlearning(method.name))
    if not all(answered(settings, folder, name, examples) for name in settings.methods):
        kit.judge(benchmark.refusals).check()
    if settings.attacks:
        _check_attackable(benchmark)
    _check_also(settings, say)
    if not folder.manifest.exists():
        kit.find()
    folder.claim(settings, benchmark.hash)
    choice.note_asked(settings)
    if settings.chosen is not None and settings.chosen.weights:
        folder.note_model(settings.chosen.weights)  # the model is held against them once it is loaded


def _check_attackable(benchmark: Benchmark) -> None:
    """Raise UserError where what is measured under attack is not apart from what was unlearned."""
    try:
        split(benchmark.examples)
    except UserError as error:
        raise UserError(f"attacks: {benchmark.folder}: {error}") from error


def _check_also(settings: RunSettings, say: Say) -> None:
    """Build and read the other data that the models are asked about after all training, and see to their folders.

    Raises UserError naming the key of those that cannot be used, and where a folder holds something else.
    """
    for number, other in enumerate(settings.also):
        say(f"also.{number}: {other.benchmark}, which is asked about in the end")
        asking, benchmark = read_also(settings, number, say)
        try:
            asked(benchmark, asking, lambda _: None, other.parts)
        except UserError as error:
            raise UserError(f"also.{number}.path: {error}") from error
        _check_there(RunFolder(asking.folder), asking, benchmark.hash, other.parts)


def read_also(settings: RunSettings, number: int, say: Say) -> tuple[RunSettings, Benchmark]:
    """Other data by their number, with the settings under which they are asked about; built first where not there.

    Raises UserError naming the key of those that cannot be used.
    """
    key, asking = f"also.{number}", settings.asking(settings.also[number])
    kit = Kit.of(asking, key=key)
    try:
        return asking, prepare(asking.data, kit, say)
    except UserError as error:
        raise UserError(f"{key}.path: {error}") from error


def _check_there(folder: RunFolder, settings: RunSettings, data_hash: str, parts: Sequence[Part]) -> None:
    """Raise UserError where a folder of other data was made otherwise than it would be gone on with."""
    if not folder.root.exists():
        return
    with owned(folder.root):
        folder.check(settings, free=["methods"])
        folder.check_data(settings, data_hash)
        _check_same_parts(folder, settings.methods, parts)


def answered(settings: RunSettings, folder: RunFolder, name: str, examples: Sequence[Example]) -> bool:
    """Whether a method's file holds an answer to every question, each once: `generate` mends it otherwise."""
    output = folder.generations(name)
    wanted = {request.key for request in settings.generate.requests(examples)}
    made = [(each.example_id, each.sample) for each in read_jsonl(output, Generation)] if output.exists() else []
    return len(made) == len(set(made)) and wanted <= set(made)


def evaluate(
    settings: RunSettings,
    kit: Kit,
    adapters: Mapping[str, Path | None],
    parts: Sequence[Part],
    say: Say,
    taught: Sequence[str] = (),
    dtype: str = "auto",
) -> None:
    """Ask each adapter's model and the one before (None), and judge, measure and report as a run does.

    `settings.methods` are the adapters' names; nothing is trained. Refusals that the models were `taught` count beside
    the benchmark's own. `dtype` is the precision where the settings leave it to the machine. Processes share the work
    as in `run`, and what that raises is raised.
    """
    folder, parts = RunFolder(settings.folder), [part for part in Part if part in parts]
    benchmark = prepare(settings.data, kit, say)
    examples = asked(benchmark, settings, say, parts)
    judge = _judge(kit, benchmark, taught)
    for each in settings.judges or (settings.judge,):
        say(f"judge {each.about}; docs/judging.md says on which texts it was measured, and how far it holds")

    def begin() -> None:
        judge.check()
        folder.check(settings, free=["methods"])
        _check_evaluation(folder, adapters, parts)
        if not folder.manifest.exists():
            kit.find()
        elif weights := kit.weights():
            folder.note_model(weights)
        noted = {name: None if path is None else str(path) for name, path in adapters.items()}
        also: dict[str, Any] = {"taught": list(taught)} if taught else {}
        also |= {"model_dtype": dtype} if dtype != "auto" else {}
        folder.claim(settings, benchmark.hash, parts=parts, adapters=noted, **also)

    with owned_by_main(folder.root):
        on_main(begin)
        model = OneModel(kit.load, folder, say)
        for name, path in adapters.items():
            _answer(settings, folder, model, name, path, examples, say)
        on_main(lambda: conclude(settings, judge, folder, examples))


def _check_same_parts(folder: RunFolder, methods: Collection[str], parts: Sequence[Part]) -> None:
    """Raise UserError where an evaluation was made of other parts, or has more methods."""
    if not folder.manifest.exists():
        return
    there = folder.parts()
    if {*there} != {*parts}:
        raise UserError(
            f"{folder.manifest}: parts: this evaluation was made of {', '.join(there)}, not {', '.join(parts)}; "
            f"{ELSEWHERE}"
        )
    if missing := [name for name in folder.settings().methods if name not in methods]:
        raise UserError(
            f"{folder.config}: methods: this evaluation has {', '.join(missing)} too: name these adapters again, for "
            f"others can only be added; {ELSEWHERE}"
        )


def _check_evaluation(folder: RunFolder, adapters: Mapping[str, Path | None], parts: Sequence[Part]) -> None:
    """See that an evaluation may go on in this folder: with the same parts, and with all adapters that it has.

    Raises UserError naming what differs.
    """
    _check_same_parts(folder, adapters, parts)
    for name, path in adapters.items():
        if folder.generations(name).exists():
            _check_adapter(folder.generations(name), path)


def run_also(settings: RunSettings, other: OtherData, say: Say) -> RunFolder:
    """Ask all models of a finished run about other data, too; the folder of that, which is as `evaluate` leaves it.

    Raises what `evaluate` raises.
    """
    run_folder, asked_settings = RunFolder(settings.folder), settings.asking(other)
    folder = RunFolder(asked_settings.folder)
    adapters = {name: None if name == VANILLA else run_folder.adapter(name) for name in settings.methods}
    taught = Kit.of(settings).read(settings.data.folder).refusals
    kit, dtype = Kit.of(asked_settings, folder), run_folder.model_dtype
    evaluate(asked_settings, kit, adapters, other.parts, say, taught, dtype)
    return folder


def _judge(kit: Kit, benchmark: Benchmark, taught: Sequence[str] = ()) -> Judge:
    """Who judges, by the benchmark's refusals and by those that the models were taught."""
    return kit.judge(tuple(dict.fromkeys([*benchmark.refusals, *taught])))


def report_again(settings: RunSettings, kit: Kit, folder: RunFolder, say: Say) -> list[Metric]:
    """The last stages of a run once more. Raises UserError where answers are missing, or the data has changed."""
    missing = [name for name in settings.methods if not folder.generations(name).exists()]
    if missing:
        raise UserError(f"{folder.root}: no answers of {', '.join(missing)} yet; `safeeraser run` makes them")
    with owned(folder.root):
        benchmark = kit.read(settings.data.folder)
        folder.claim(settings, benchmark.hash)
        judge = _judge(kit, benchmark, folder.taught())
        return conclude(settings, judge, folder, asked(benchmark, settings, say, folder.parts()))


def conclude(settings: RunSettings, judge: Judge, folder: RunFolder, examples: Sequence[Example]) -> list[Metric]:
    """The stages after the last answer, which need no model: verdicts, metrics.json and the report.

    Raises FailureLimitError, when all that is written, where the judge could not score too many answers.
    """
    answers = {name: read_jsonl(folder.generations(name), Generation) for name in settings.methods}
    parts = folder.parts()
    tables: dict[str, list[Column]] = {}
    tallies: dict[str, Tally] = {}
    for name in settings.methods:
        found, tallies[str(folder.verdicts(name))] = judge_answers(
            judge,
            examples,
            answers[name],
            folder.verdicts(name),
            costs.clock(folder.costs, costs.JUDGING, judge.spent),
        )
        tables[name] = [column for column in found.columns(STRICT) if column.measure.part in parts]
    metrics = [summarise(name, column) for name, columns in tables.items() for column in columns]
    write_metrics(folder.metrics, metrics)
    made = folder.settings()  # a report is the same wherever the run is moved
    for name in settings.methods:
        mine = [each for each in metrics if each.model == name]
        describe(folder.model(name), mine, data=settings.data.folder.name, judge=judge.name)
    last = settings.methods[-1]
    finished = FinishedRun(
        folder=folder, settings=settings, data=settings.data.folder, examples=tuple(examples), judge=judge.name
    )
    report.write(
        folder.root,
        metrics,
        settings.methods,
        folder.provenance(),
        examples=examples,
        answers=answers,
        differences=statistics.usual(tables),
        failures=report.failures(last, tables[last], examples, answers[last]),
        commands=[
            pages.likelihood_command(made, name, folder.provenance().get("adapters")) for name in settings.methods
        ],
        costs=costs.stages(folder, settings.methods),
    )
    pages.write([finished])
    check_failures(tallies, settings.failure_limit)
    return metrics


def write_metrics(path: Path, metrics: Sequence[Metric]) -> None:
    """Write metrics as a JSON list."""
    write_json(path, [asdict(metric) for metric in metrics])


def prepare(data: DataSettings, kit: Kit, say: Say) -> Benchmark:
    """Read the benchmark; an embedded one is built first where its folder is not there."""
    if kit.build is not None and not data.folder.exists():
        with owned(data.folder, wait=True):  # another run may build the same
            if not data.folder.exists():
                say(f"building {data.benchmark} at scale {data.scale:g} in {data.folder}")
                kit.build(data)
    say(f"reading {data.folder}")
    benchmark = kit.read(data.folder)
    pixels.check(benchmark.images())
    for problem in benchmark.problems[:_WARNINGS]:
        say(f"warning: {problem}")
    if len(benchmark.problems) > _WARNINGS:
        more = len(benchmark.problems) - _WARNINGS
        say(f"... and {more} more: safeeraser data check {data.folder} --format {data.benchmark}")
    return benchmark


def asked(benchmark: Benchmark, settings: RunSettings, say: Say, parts: Iterable[Part] = Part) -> list[Example]:
    """The examples of the parts, each within its limit. Raises UserError where there are none at all."""
    limits = settings.limits.model_dump()
    chosen = {part: choose(benchmark.examples, part, limits[part], settings.seed) for part in parts}
    for part in (part for part, examples in chosen.items() if not examples):
        say(f"warning: {benchmark.folder}: no examples for {part}, which is not measured")
    examples = [example for examples in chosen.values() for example in examples]
    if not examples:
        raise UserError(f"{benchmark.folder}: nothing to ask: only examples of the selection split")
    return examples


def _check_adapter(answers: Path, adapter: Path | None) -> None:
    """Raise UserError where answers were made by another adapter than lies there now; older files do not tell."""
    made = read_meta(answers)
    now = None if adapter is None else provenance.content_hash(adapter)[:16]
    if "weights" in made and made["adapter"] != now:
        raise UserError(f"{answers}: {provenance.first_change(made | {'adapter': now}, made)}; {ELSEWHERE}")


@dataclass(frozen=True, slots=True)
class _Training:
    """The training of one run."""

    settings: RunSettings
    folder: RunFolder
    model: OneModel
    judge: Judge
    say: Say

    def check_model(self, methods: Iterable[Method]) -> None:
        """See that the model takes every method still to be trained, before hours go into the first."""
        for method in methods:
            if not on_main(self.folder.adapter(method.name).exists):
                check_model(self.model.get(), method, self.settings.unlearning(method.name))

    def unlearn(self, method: Method, benchmark: Benchmark) -> None:
        if on_main(self.folder.adapter(method.name).exists):
            self.say(f"{method.name}: trained before")
            return
        settings, output = self.settings.unlearning(method.name), self.folder.model(method.name)
        curve = Curve.of(benchmark, self.judge, method, settings, self.settings.generate)
        with costs.clock(self.folder.costs, costs.training(method.name), self.judge.spent):
            unlearn(self.model.get(), benchmark.examples, benchmark.refusals, method, settings, output, curve)
        if weights_are_sharded():
            self.model.drop()


def _answer(
    settings: RunSettings,
    folder: RunFolder,
    model: OneModel,
    name: str,
    adapter: Path | None,
    examples: Sequence[Example],
    say: Say,
) -> None:
    """Have a model answer what it has not answered; it is loaded only where there is anything."""
    if on_main(lambda: answered(settings, folder, name, examples)):
        on_main(lambda: _check_adapter(folder.generations(name), adapter))
        say(f"{name}: answered before")
        return
    with costs.clock(folder.costs, costs.answering(name)):
        generate(model.get(adapter), examples, settings.generate, folder.generations(name))

"""Hyper-parameters of each method, chosen on the selection part: Optuna asks, trainings answer.

Any number of processes may work at one sweep. A trial whose process was killed is taken up by the next that looks, and
its training goes on from its last checkpoint. Validation is neither asked nor trained on here.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import JournalStorage
from optuna.trial import Trial, TrialState

from safeeraser import objectives, provenance
from safeeraser.benchmarks.benchmark import Benchmark
from safeeraser.errors import DiskError, UserError, explained
from safeeraser.files import owned, write_json, write_text
from safeeraser.generation.run import generate
from safeeraser.judges import Judge
from safeeraser.judges.run import FailureLimitError, Tally, describe_failures, unscored_error
from safeeraser.metrics import STRICT, objective, parts, shares, unscored
from safeeraser.pixels import ImageError
from safeeraser.provenance import json_hash
from safeeraser.records import VANILLA, Example, Generation, Split, Stream, read_jsonl
from safeeraser.runs import RunSettings, as_yaml, costs, sweep_data
from safeeraser.runs.choice import chosen
from safeeraser.runs.curves import Curve, wanted
from safeeraser.runs.distributions import distributions, ends, with_parameters
from safeeraser.runs.folder import RunFolder
from safeeraser.runs.kit import Kit
from safeeraser.runs.one_model import OneModel, Say
from safeeraser.runs.results import Judged, judge_answers
from safeeraser.runs.sweep_folder import CHOICE, VALIDATION, alone, begun, claim, storage
from safeeraser.runs.trials import ERROR, STATES, counted, ended, load, short
from safeeraser.settings import Wanted
from safeeraser.unlearning.output import Output
from safeeraser.unlearning.run import check, check_model, unlearn
from safeeraser.unlearning.settings import UnlearnSettings
from safeeraser.unlearning.watch import points

_ANSWERS = "generations.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Best:
    """The best trial of a method: its figures (0..1), its settings and files, and how the method's trials ended."""

    method: str
    number: int
    folder: Path
    figures: dict[str, float]
    parameters: dict[str, Any]
    settings: UnlearnSettings
    states: dict[str, int]


@dataclass(slots=True, kw_only=True)
class Sweep:
    """A sweep in its folder; `begin` makes one ready to work."""

    settings: RunSettings
    kit: Kit
    say: Say
    benchmark: Benchmark
    asked: Sequence[Example]
    counts: Mapping[str, int]
    judge: Judge
    storage: JournalStorage
    model: OneModel
    before: dict[str, float] = field(default_factory=dict)

    @classmethod
    def begin(cls, settings: RunSettings, kit: Kit, say: Say) -> Sweep:
        """Claim the folder, and measure the model before unlearning where that is not done yet.

        Raises UserError for a space that a method cannot be trained in, for data without a selection part, for a folder
        of another sweep, and where the model had nothing before that a method is to keep.
        """
        if not kit.methods:
            raise UserError(
                "methods: vanilla is the model before unlearning, of which nothing can be tuned; name others"
            )
        tried = {name: ends(settings, name) for name in kit.methods}
        data = sweep_data.read(settings, kit, say)
        benchmark = data.benchmark
        for name, bound in kit.methods.items():
            for each in tried[name]:
                check(benchmark.examples, benchmark.refusals, bound, _looked_at(each, settings, benchmark))
        judge = kit.judge(data.refusals)
        judge.check()
        root = settings.folder
        if not RunFolder(root).manifest.exists():
            kit.find()
        with alone(root):
            claim(root, settings, data.hashes | {"judge": judge.name})
            if weights := kit.weights():
                RunFolder(root).note_model(weights)
            trials = storage(root)
            for name in kit.methods.keys() - set(optuna.get_all_study_names(trials)):
                optuna.create_study(storage=trials, study_name=name, direction="maximize")
            made = cls(
                settings=settings,
                kit=kit,
                say=say,
                benchmark=benchmark,
                asked=data.asked,
                counts=data.counts,
                judge=judge,
                storage=trials,
                model=OneModel(kit.load, RunFolder(root), lambda _: None),
            )
            every = dict.fromkeys(name for method in kit.methods for name in made.wanted(method))
            made.before = made._measured(made.vanilla, None, tuple(every))
        made._tell_missing()
        return made

    @property
    def trials(self) -> int:
        """Trials of each method; another process may have been told to do more than this one."""
        return begun(self.root).sweep.trials

    def wanted(self, method: str) -> tuple[Wanted, ...]:
        """What the objective of a method is the smallest of."""
        return wanted(self.kit.methods[method], self.settings.unlearning(method))

    def missing(self, method: str) -> list[Wanted]:
        """What is wanted and was not asked, or of which the model had nothing before unlearning to be kept."""
        there = parts(self.before, self.before)
        return [name for name in self.wanted(method) if name not in there]

    def _tell_missing(self) -> None:
        """Warn of what is left out of the objectives. Raises UserError where nothing is left of one."""
        for method in self.kit.methods:
            if missing := self.missing(method):
                figures = " or ".join(missing)
                told = f"{method}: objective: the model before unlearning has no {figures} that could be kept"
                if len(missing) == len(self.wanted(method)):
                    raise UserError(told)
                self.say(f"warning: {told}, which is left out")

    @property
    def root(self) -> Path:
        """The sweep's folder."""
        return self.settings.folder

    @property
    def vanilla(self) -> Path:
        """Where the answers before unlearning are."""
        return self.root / VANILLA

    def judged(self, folder: Path) -> tuple[Judged, Tally]:
        """The answers in a trial's folder, or in `vanilla`, with the judge's verdicts, which are kept beside them."""
        answers = read_jsonl(folder / _ANSWERS, Generation)
        return judge_answers(self.judge, self.asked, answers, folder / "verdicts.jsonl")

    def provenance(self) -> dict[str, Any]:
        """What the sweep's figures depend on."""
        return {
            "settings": self.settings.dump(),
            "data": self.benchmark.hash,
            **provenance.made_with(),
        }

    def study(self, method: str) -> optuna.Study:
        """A method's trials."""
        return load(self.storage, method, self.settings.seed, prune=self.settings.sweep.prune)

    def left(self) -> int:
        """How many trials are still to be begun."""
        budget = self.trials
        return sum(max(0, budget - len(counted(self.study(method)))) for method in self.kit.methods)

    def done(self) -> bool:
        """Whether all trials have come to an end."""
        budget = self.trials
        return all(len(ended(self.study(method))) >= budget for method in self.kit.methods)

    def work(self) -> None:
        """Do trials until every one is done or in other hands.

        Raises FailureLimitError where the judge fails, DiskError, and ImageError where pictures are not there any more:
        the trial stays open, to be taken up by the same command.
        """
        if self.done():
            return
        for name, bound in self.kit.methods.items():
            for each in ends(self.settings, name):
                check_model(self.model.get(), bound, each)
        for method in self.kit.methods:
            while self._trial(method):
                pass

    def choose(self) -> Path | None:
        """Write down the best trial of each method; None while other processes are at work on some.

        A choice that is there already stays. Methods of which no trial came to its end are left out. Raises UserError
        where that is all of them.
        """
        place = self.root / CHOICE
        with alone(self.root):
            if place.exists():
                return place
            if not self.done():
                return None
            found = {method: best for method in self.kit.methods if (best := self.best(method))}
            if not found:
                raise UserError("\n".join(map(self.failure, self.kit.methods)))
            plain = self.settings.dump() | {"output": str(self.root / VALIDATION)}
            there = {VANILLA, *found}
            if there.isdisjoint(plain["attack_models"]) and plain["attack_models"]:
                plain["attacks"] = []  # without models that are named, all would be attacked
            plain |= {key: [name for name in plain[key] if name in there] for key in ("methods", "attack_models")}
            plain["methods_settings"] = {method: each.settings.given() for method, each in found.items()}
            run = RunSettings(**{key: value for key, value in plain.items() if key != "sweep"})
            figures = {method: round(each.figures["objective"], 4) for method, each in found.items()}
            weights = RunFolder(self.root).provenance().get("model_weights")
            told = chosen(run, self.benchmark.hash, weights, str(self.root), figures)
            write_text(place, as_yaml(run.changed(chosen=told)))
        return place

    def failure(self, method: str) -> str:
        """What is told of a method without a best trial."""
        errors = [each.user_attrs[ERROR] for each in ended(self.study(method)) if ERROR in each.user_attrs]
        return f"{method}: no trial came to its end" + (f"; the first: {errors[0]}" if errors else "")

    def best(self, method: str) -> Best | None:
        """The best trial of a method; of equal ones the first; None where none came to its end."""
        trials = ended(self.study(method))
        complete = [each for each in trials if each.state is TrialState.COMPLETE]
        if not complete:
            return None
        best = max(complete, key=lambda each: (each.value or 0.0, -each.number))
        return Best(
            method=method,
            number=best.number,
            folder=self._place(method, best.params),
            figures=best.user_attrs["figures"],
            parameters=best.params,
            settings=self._settings(method, best.params),
            states={name: sum(each.state is state for each in trials) for state, name in STATES.items()},
        )

    def _trial(self, method: str) -> bool:
        """Do one trial; False where there is none left."""
        budget = self.trials
        with ExitStack() as held:
            with owned(self.root / "asking", wait=True):
                study = self.study(method)
                self._take_up(study, method)
                if len(counted(study)) >= budget:
                    return False
                trial = study.ask(distributions(self.settings, method))
                held.enter_context(owned(self._mark(method, trial.number)))
            of = f"{len(counted(study))} of {budget}"
            self.say(f"{method}: trial {of}: {', '.join(f'{k}={short(v)}' for k, v in trial.params.items())}")
            self._answer(study, trial, method)
        return True

    def _answer(self, study: optuna.Study, trial: Trial, method: str) -> None:
        """Train and measure, and tell Optuna how it ended. What is interrupted stays open, to be taken up."""
        try:
            figures = self._train(trial, method, self._place(method, trial.params))
        except optuna.TrialPruned:
            study.tell(trial, state=TrialState.PRUNED)
            self.say(f"{method}: broken off: below the median of earlier trials")
        except (DiskError, FailureLimitError, ImageError):  # which other parameters would not help against
            raise
        except UserError as error:
            trial.set_user_attr(ERROR, str(error))
            study.tell(trial, state=TrialState.FAIL)
            self.say(f"{method}: failed: {error}")
        else:
            trial.set_user_attr("figures", figures)
            study.tell(trial, figures["objective"])
            told = ", ".join(f"{name} {100 * value:.1f}" for name, value in figures.items())
            self.say(f"{method}: {told}")

    def _train(self, trial: Trial, method: str, place: Path) -> dict[str, float]:
        settings = self._settings(method, trial.params)

        def told(step: int, value: float) -> None:
            trial.report(value, step)
            if trial.should_prune():
                raise optuna.TrialPruned

        training = place / "training"
        with owned(place, wait=True):  # another process may have drawn the same
            bound = objectives.find(method, settings.preset).bind(**settings.options)
            curve = Curve.of(self.benchmark, self.judge, bound, settings, self.settings.generate, told=told)
            if (training / "adapter").exists():  # drawn before, or trained just before a kill
                for step, value in points(Output(training, {}).logged()):
                    trial.report(value, step)
            else:
                loaded = self.model.get()
                refusals = self.benchmark.refusals
                try:
                    with self._clock(place):
                        unlearn(loaded, self.benchmark.examples, refusals, bound, settings, training, curve)
                except optuna.TrialPruned:
                    shutil.rmtree(training / "checkpoints", ignore_errors=True)
                    raise
            return self._measured(place, training / "adapter", self.wanted(method))

    def _measured(self, place: Path, adapter: Path | None, wanted: Sequence[Wanted]) -> dict[str, float]:
        """The figures of a model on the selection part, kept in result.json.

        Raises UserError, FailureLimitError where it is the judge's fault, where one is missing or made of too few.
        """
        file = place / "result.json"
        if file.exists():
            with explained(file):
                return dict(json.loads(file.read_text(encoding="utf-8")))
        with self._clock(place):
            generate(self.model.get(adapter), self.asked, self.settings.generate, place / _ANSWERS)
            judged, tally = self.judged(place)
        columns = judged.columns(STRICT)
        failures = f": {describe_failures(tally)}" if tally.failures else ""
        if missing := unscored(columns, wanted):
            told = f"{self.judge.name} scored no answer for {', '.join(missing)}"
            raise unscored_error(f"{place}{failures}: {told}", tally.failures)
        if tally.failed > self.settings.failure_limit:
            raise unscored_error(f"{place}{failures}", tally.failures)
        found = shares(columns)
        value = objective(found, self.before or found, wanted)
        figures = found if value is None else {**found, "objective": value}
        write_json(file, figures)
        return figures

    def _clock(self, place: Path) -> AbstractContextManager[None]:
        return costs.clock(RunFolder(place).costs, costs.TRIAL, self.judge.spent)

    def _settings(self, method: str, parameters: dict[str, Any]) -> UnlearnSettings:
        return _looked_at(with_parameters(self.settings.unlearning(method), parameters), self.settings, self.benchmark)

    def _take_up(self, study: optuna.Study, method: str) -> None:
        """Put trials whose process is gone back to be done."""
        for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            try:
                with owned(self._mark(method, trial.number)):
                    told = study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)  # it may be by now
                    if told.state is TrialState.FAIL and ERROR not in told.user_attrs:  # with an error it had failed
                        study.enqueue_trial(told.params)
            except UserError:  # its process is at work
                continue

    def _mark(self, method: str, number: int) -> Path:
        return self.root / "trials" / method / f"trial-{number}"

    def _place(self, method: str, parameters: dict[str, Any]) -> Path:
        """A folder for what is trained: the same for the same settings, so that it goes on where it was."""
        return self.root / "trials" / method / json_hash(self._settings(method, parameters).results())[:12]


def _looked_at(made: UnlearnSettings, settings: RunSettings, benchmark: Benchmark) -> UnlearnSettings:
    """The settings of a trial, which is measured on its way where it may be broken off."""
    if made.eval_steps is not None or not settings.sweep.prune:
        return made
    forget = sum((each.split, each.stream) == (Split.TRAIN, Stream.FORGET) for each in benchmark.examples)
    steps = made.total_rows(min(forget, made.limit or forget)) // made.rows_per_step
    return made.changed(eval_steps=max(1, steps // settings.sweep.measurements), save_steps=None)

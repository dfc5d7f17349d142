"""Logs for Inspect (https://inspect.aisi.org.uk): one `.eval` file a model, which `inspect view` opens.

Needs the extra `inspect`; nothing else of this package imports this module.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from inspect_ai.log import (
    EvalConfig,
    EvalDataset,
    EvalLog,
    EvalMetric,
    EvalResults,
    EvalSample,
    EvalScore,
    EvalSpec,
    write_eval_log,
)
from inspect_ai.model import GenerateConfig

from safeeraser.files import whole_file
from safeeraser.metrics import STRICT, Measure
from safeeraser.provenance import file_hash, text_hash
from safeeraser.records import Metric
from safeeraser.runs.logs.answers import ModelLog, figures, overall
from safeeraser.runs.logs.inspect_samples import sample, score_name
from safeeraser.runs.logs.pictures import Pictures

TASK = "safeeraser"


def write(log: ModelLog, output: Path, pictures: Pictures) -> Path:
    """Write a model's log into the folder `output` and return the file.

    Its name and all ids are made of what it holds: equal results replace their log, others stand beside it.
    """
    made = build(log, pictures)
    method = re.sub(r"[^A-Za-z0-9.-]+", "-", log.model)  # the parts of such a name are parted by "_"
    target = output / f"{log.made:%Y-%m-%dT%H-%M-%S}_{TASK}_{method}_{made.eval.eval_id}.eval"
    with whole_file(target) as scratch:
        write_eval_log(made, scratch, format="eval")
    return target


def build(log: ModelLog, pictures: Pictures) -> EvalLog:
    """A model's log as an object."""
    spec = _spec(log)
    samples = [
        sample(log, part, answer, pictures, spec.eval_id) for part, answers in log.parts.items() for answer in answers
    ]
    return EvalLog(status="success", eval=spec, results=_results(log, samples), samples=samples)


def _spec(log: ModelLog) -> EvalSpec:
    run, provenance = log.run, log.run.folder.provenance()
    settings = run.settings
    run_id = text_hash(f"{settings.hash} {provenance.get('data')}")
    eval_id = text_hash(f"{run_id} {log.model} {run.judge} {file_hash(log.generations)} {file_hash(log.verdicts)}")
    answers = [answer for each in log.parts.values() for answer in each]
    return EvalSpec(
        run_id=run_id,
        eval_id=eval_id,
        task_id=eval_id,
        task=TASK,
        created=log.made.isoformat(),
        dataset=EvalDataset(
            name=settings.data.benchmark,
            samples=len({answer.example.id for answer in answers}),
            shuffled=False,
        ),
        model=log.name,
        model_args={"pretrained": settings.model, "dtype": settings.dtype, "method": log.model},
        model_generate_config=GenerateConfig(
            max_tokens=settings.generate.max_new_tokens,
            temperature=settings.generate.temperature,
            top_p=settings.generate.top_p,
            seed=settings.seed,
        ),
        config=EvalConfig(epochs=max((answer.sample for answer in answers), default=0) + 1),
        packages=provenance.get("versions", {}),
        metadata={"judge": run.judge, "protocol": STRICT.name, **provenance},
    )


def _results(log: ModelLog, samples: Sequence[EvalSample]) -> EvalResults:
    measured = log.metrics()
    metrics: dict[str, dict[str, EvalMetric]] = {}
    for part in log.parts:
        for column, metric in overall(measured, part):
            made = _metric(column.measure, metric)
            metrics.setdefault(score_name(metric.name), {})[made.name] = made
    answered = sum(bool(each.output.choices) for each in samples)
    return EvalResults(
        total_samples=len(samples),
        completed_samples=answered,
        scores=[_score(name, log.run.judge, found, samples) for name, found in metrics.items()],
        metadata={"intervals": {part.value: figures(measured, part) for part in log.parts}},
    )


def _metric(measure: Measure, metric: Metric) -> EvalMetric:
    """Where nothing was scored the value is not a number, as Inspect has it."""
    return EvalMetric(
        name=f"{metric.name}_{metric.part}",
        value=math.nan if metric.value is None else metric.value,
        metadata={
            "low": metric.low,
            "high": metric.high,
            "n": metric.n,
            "unscored": metric.unscored,
            "better": measure.better,
            "meaning": measure.meaning,
        },
    )


def _score(name: str, judge: str, metrics: dict[str, EvalMetric], samples: Sequence[EvalSample]) -> EvalScore:
    values: list[Any] = [each.scores[name].value for each in samples if each.scores and name in each.scores]
    counts = Counter(math.isnan(value) for value in values)
    return EvalScore(
        name=name, scorer=judge, scored_samples=counts[False], unscored_samples=counts[True], metrics=metrics
    )

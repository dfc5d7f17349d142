"""Logs in the files of lm-evaluation-harness: one JSON of results a model, and one file of JSON lines for each part.

Names and meanings are those of its `result_schema` (version 0.4.13). What it has no place for stands beside it under
names of our own: `intervals` and `safeeraser` in the results, `example_id`, `sample`, `finish` and `verdicts` in the
samples.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from safeeraser.benchmarks.selection import Part
from safeeraser.files import write_json, write_text
from safeeraser.metrics import STRICT, Column, Measure
from safeeraser.metrics.intervals import spread
from safeeraser.records import Metric, Split
from safeeraser.runs.logs.answers import LoggedAnswer, ModelLog, figures, overall
from safeeraser.text import json_text

FILTER = "none"
"""The harness can filter answers before it scores them, and its metrics are called `<metric>,<filter>`; we do not."""

_GROUP = "safeeraser"
_NO_STDERR = "N/A"  # the harness's word for it; its tables take no null there
_UNFIT = re.compile(r"[\"<>:/|\\?*\[\]]+")  # in file names, by the harness's own rule


def write(log: ModelLog, output: Path) -> Path:
    """Write a model's files into a folder of its own in `output`, and return that folder.

    The files are called after the time at which the last answer or verdict was written: the same results give the same
    files again, and results that have changed stand beside the older ones. The results are written last, so where they
    are, the samples are too.
    """
    folder, time = output / _folder_name(log), _timestamp(log)
    samples = {_task(part): [_sample(log, part, answer) for answer in answers] for part, answers in log.parts.items()}
    for task, lines in samples.items():
        write_text(folder / f"samples_{task}_{time}.jsonl", "".join(f"{json_text(line)}\n" for line in lines))
    write_json(folder / f"results_{time}.json", _results(log, samples), indent=2)
    return folder


def _task(part: Part) -> str:
    return f"{_GROUP}_{part}"


def _folder_name(log: ModelLog) -> str:
    return _UNFIT.sub("__", log.name)


def _timestamp(log: ModelLog) -> str:
    return log.made.replace(tzinfo=None).isoformat(timespec="microseconds").replace(":", "-")


# --- samples -------------------------------------------------------------------------------------------------------


def _sample(log: ModelLog, part: Part, answer: LoggedAnswer) -> dict[str, Any]:
    """A line of its own for each answer: where a question was answered several times, lines share its `doc_id`."""
    example = answer.example
    doc = {**dataclasses.asdict(example), "image": log.picture(example.image)}
    visual = {} if example.image is None else {"arg_2": {"visual": [doc["image"]]}}
    given = [] if answer.text is None else [answer.text]
    return {
        "doc_id": answer.place,
        "doc": doc,
        "target": example.answer,
        "arguments": {"gen_args_0": {"arg_0": example.question, "arg_1": _generation(log, part), **visual}},
        "resps": [given],
        "filtered_resps": given,
        "filter": FILTER,
        "metrics": list(answer.values),
        "doc_hash": _hash(json.dumps(doc, indent=2, ensure_ascii=False)),
        "prompt_hash": _hash(example.question),
        "target_hash": _hash(example.answer),
        **answer.values,
        "example_id": example.id,
        "sample": answer.sample,
        "finish": answer.finish,
        "reasoning": answer.reasoning,
        "verdicts": {
            axis.value: {"value": verdict.value, "failure": verdict.failure, "reason": verdict.reason}
            for axis, verdict in answer.verdicts.items()
        },
    }


def _generation(log: ModelLog, part: Part) -> dict[str, Any]:
    """How a part's answers were made, in the harness's words."""
    made = log.run.settings.generate
    return {
        "max_gen_toks": made.max_new_tokens,
        "do_sample": made.temperature > 0,
        "temperature": made.temperature,
        "top_p": made.top_p,
        "repeats": (part in (Part.EFFICACY, Part.GENERALITY) and made.forget_samples) or made.samples,
    }


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


# --- results -------------------------------------------------------------------------------------------------------


def _results(log: ModelLog, samples: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    provenance = log.run.folder.provenance()
    versions = provenance.get("versions", {})
    measured = log.metrics()
    found = {_task(part): overall(measured, part) for part in log.parts}
    return {
        "results": {_task(part): _task_results(log, part, found[_task(part)]) for part in log.parts},
        "group_subtasks": {_GROUP: list(found)},
        "configs": {_task(part): _task_config(log, part, found[_task(part)]) for part in log.parts},
        "versions": {task: versions.get("safeeraser") for task in found},
        "n-shot": dict.fromkeys(found, 0),
        "higher_is_better": {
            task: {metric.name: _higher_is_better(column.measure) for column, metric in each}
            for task, each in found.items()
        },
        "n-samples": {_task(part): _counts(log, part) for part in log.parts},
        "config": _config(log),
        "git_hash": provenance.get("git"),
        "date": log.made.timestamp(),
        "transformers_version": versions.get("transformers"),
        "task_hashes": {task: _task_hash(lines) for task, lines in samples.items()},
        "model_source": _GROUP,
        "model_name": log.name,
        "model_name_sanitized": _folder_name(log),
        "intervals": {_task(part): figures(measured, part) for part in log.parts},
        "safeeraser": {"method": log.model, "judge": log.run.judge, "protocol": STRICT.name, **provenance},
    }


def _task_results(log: ModelLog, part: Part, found: Iterable[tuple[Column, Metric]]) -> dict[str, Any]:
    results: dict[str, Any] = {"name": _task(part), "alias": part.value, "sample_len": len(log.parts[part])}
    counts = {}
    for column, metric in found:
        results[f"{metric.name},{FILTER}"] = metric.value
        results[f"{metric.name}_stderr,{FILTER}"] = _stderr(column)
        counts[f"{metric.name},{FILTER}"] = metric.n
    return results | {"sample_count": counts}


def _stderr(column: Column) -> float | str:
    """Of the mean of values that hang together as their pictures do; none from a single picture."""
    scored = column.scored
    found = spread(np.array([share for _, share in scored]), [value.cluster for value, _ in scored]) if scored else None
    return float(found.variance**0.5) if found is not None and found.clusters > 1 else _NO_STDERR


def _task_config(log: ModelLog, part: Part, found: Iterable[tuple[Column, Metric]]) -> dict[str, Any]:
    settings = log.run.settings
    return {
        "task": _task(part),
        "tag": _GROUP,
        "dataset_path": settings.data.benchmark,
        "test_split": (Split.TRAIN if part is Part.EFFICACY else Split.VALIDATION).value,
        "doc_to_text": "{{question}}",
        "doc_to_target": "{{answer}}",
        "doc_to_image": ["image"],
        "output_type": "generate_until",
        "num_fewshot": 0,
        "generation_kwargs": _generation(log, part),
        "metric_list": [
            {
                "metric": metric.name,
                "aggregation": "mean",
                "higher_is_better": _higher_is_better(column.measure),
                "meaning": column.measure.meaning,
            }
            for column, metric in found
        ],
        "metadata": {"judge": log.run.judge, "limit": settings.limits.model_dump()[part]},
    }


def _higher_is_better(measure: Measure) -> bool:
    return measure.better == "high"


def _counts(log: ModelLog, part: Part) -> dict[str, int | None]:
    """How many questions were asked, of how many: None where a limit kept the run from seeing them all."""
    asked = len({answer.place for answer in log.parts[part]})
    limit = log.run.settings.limits.model_dump()[part]
    return {"original": asked if limit is None or asked < limit else None, "effective": asked}


def _config(log: ModelLog) -> dict[str, Any]:
    settings = log.run.settings
    adapter = log.run.folder.adapter(log.model)
    trained = {"peft": adapter.relative_to(log.run.folder.root).as_posix()} if adapter.exists() else {}
    limits = set(settings.limits.model_dump().values())
    return {
        "model": _GROUP,
        "model_args": {"pretrained": settings.model, **trained, "dtype": settings.dtype},
        "batch_size": settings.generate.batch_size,
        "limit": limits.pop() if len(limits) == 1 else None,
        "random_seed": settings.seed,
        "numpy_seed": settings.seed,
        "torch_seed": settings.seed,
        "fewshot_seed": settings.seed,
    }


def _task_hash(lines: Iterable[dict[str, Any]]) -> str:
    return _hash("".join(line["doc_hash"] + line["prompt_hash"] + line["target_hash"] for line in lines))

"""`likelihood`: how likely a model finds a benchmark's answers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from safeeraser.cli.options import Adapter, Data, Dtype, Format, Limit, Model, Parts, Seed, chosen, stage_settings
from safeeraser.cli.output import stdout


def likelihood(
    data: Data,
    output: Annotated[Path, typer.Option("--output", help="File for the likelihoods, one line of JSON each.")],
    layout: Format = "released",
    model: Model = "tiny",
    adapter: Adapter = None,
    dtype: Dtype = "auto",
    part: Parts = None,
    limit: Limit = None,
    seed: Seed = None,
    batch_size: Annotated[int, typer.Option("--batch-size", min=1, help="Texts in one forward pass.")] = 32,
    contrasts: Annotated[
        int, typer.Option("--contrasts", min=0, help="Texts to compare each answer with, for the truth ratio.")
    ] = 3,
    name: Annotated[str, typer.Option("--name", help="What to call the model in the metrics.")] = "model",
    scores: Annotated[Path | None, typer.Option("--metrics", help="File for the metrics, as JSON.")] = None,
) -> None:
    """Measure how likely a model finds the benchmark's answers, whatever it would say itself.

    A model that only learnt to begin with a refusal gives none of the harmful answers, and finds them as likely as
    before once they have begun. docs/generation.md says what each figure is. Likelihoods that are in the file already
    are kept.

    \b
    Example:
      safeeraser likelihood --data data/icons --adapter out/po/adapter --limit 48 --output po-likelihood.jsonl
    """
    from safeeraser.benchmarks import read
    from safeeraser.generation.likelihood.candidates import candidates
    from safeeraser.generation.likelihood.measure import measure
    from safeeraser.metrics.likelihood import metrics
    from safeeraser.models.processes import processes
    from safeeraser.records import Likelihood, read_jsonl
    from safeeraser.runs import costs, pipeline
    from safeeraser.runs.kit import Kit
    from safeeraser.runs.report.likelihood import as_table

    state = processes()
    settings = stage_settings("generate", None, {"seed": seed, "model": model, "dtype": dtype})
    benchmark = read(data, layout)
    asked = chosen(benchmark.examples, part, limit, settings.seed)
    texts = candidates(asked, benchmark.examples, benchmark.refusals, contrasts=contrasts, seed=settings.seed)
    clock = costs.clock(costs.beside(output), costs.LIKELIHOOD)
    measure(Kit.of(settings).load(adapter), texts, output, batch_size=batch_size, clock=clock)
    if not state.is_main_process:
        return
    found = metrics(name, asked, read_jsonl(output, Likelihood))
    if scores is not None:
        pipeline.write_metrics(scores, found)
    stdout.print(as_table(found))

"""`evaluate`: a benchmark's questions to a model before and after unlearning, judged, scored and side by side."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from safeeraser.benchmarks.selection import Part
from safeeraser.cli.complete import complete_judge
from safeeraser.cli.options import (
    Adapters,
    Data,
    Dtype,
    Format,
    Limit,
    Model,
    Overrides,
    Parts,
    Seed,
    named,
    only,
    run_options,
)
from safeeraser.cli.output import say
from safeeraser.cli.run import finish
from safeeraser.records import VANILLA


def evaluate(
    data: Data,
    output: Annotated[Path, typer.Option("--output", help="Folder for answers, verdicts and the report, as a run's.")],
    given: Overrides = None,
    layout: Format = "released",
    adapter: Adapters = None,
    model: Model = "tiny",
    dtype: Dtype = "auto",
    part: Parts = None,
    limit: Limit = None,
    seed: Seed = None,
    judge: Annotated[
        str, typer.Option("--judge", help="The judge; `safeeraser judges` lists them.", autocompletion=complete_judge)
    ] = "rules",
) -> None:
    """Ask a model a benchmark's questions, before and after unlearning, and score the answers side by side.

    Nothing is trained: this is for adapters that are there, on data that they were not made for, such as XSTest and
    MOSSBench. KEY=VALUE are the keys of `generate` and `judge` in a run's configuration, as in generate.batch_size=8.
    The folder is that of a run, for `report`, `score` and `logs`. What is finished is not done again, and adapters may
    be added; the exit code is 3 while too many verdicts are missing. Started by torchrun, every process answers its
    share.

    \b
    Examples:
      safeeraser evaluate --data XSTest --format xstest --adapter out/po/adapter --adapter out/po+pd/adapter \\
        --output out/xstest
      safeeraser evaluate --data MOSSBench --format mossbench --model llava-hf/llava-1.5-7b-hf \\
        --adapter out/llava/adapter --output out/mossbench generate.max_new_tokens=128
    """
    from safeeraser.cli.names import names
    from safeeraser.models.processes import processes
    from safeeraser.runs import parse, pipeline
    from safeeraser.runs.folder import RunFolder
    from safeeraser.runs.kit import Kit

    processes()  # before the model is loaded, so that each goes to its own device
    adapters = named(adapter)
    options = run_options(seed=seed, limit=limit, output=output)
    options |= {"model": model, "dtype": dtype, "judge.name": judge, "methods": list(adapters)}
    options |= {"data.benchmark": layout, "data.path": data}
    settings = parse("", "options", given or [], replace(names(), methods=tuple), options)  # its methods are adapters
    only(("generate", "judge", "judges", "limits", "failure_limit"), given or [])
    kit = Kit.of(settings.model_copy(update={"methods": (VANILLA,)}), RunFolder(output))
    asking = partial(pipeline.evaluate, settings, kit, adapters, part or list(Part), say)
    finish(asking, settings, output)

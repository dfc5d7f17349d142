"""`unlearn`: train an adapter, a stage alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from safeeraser.cli.complete import complete_method
from safeeraser.cli.options import Data, Dtype, Format, Model, Overrides, Seed, stage_settings
from safeeraser.cli.output import stdout
from safeeraser.errors import UserError


def unlearn(
    data: Data,
    method: Annotated[
        str,
        typer.Option(
            "--method", help="What to train; `safeeraser methods` lists them.", autocompletion=complete_method
        ),
    ],
    output: Annotated[Path, typer.Option("--output", help="Folder for adapter/, manifest.json and loss.jsonl.")],
    given: Overrides = None,
    layout: Format = "released",
    model: Model = "tiny",
    dtype: Dtype = "auto",
    seed: Seed = None,
) -> None:
    """Train an adapter that unlearns.

    Its folder is printed. KEY=VALUE are the keys of `unlearn` in a run's configuration. The same command goes on with
    a training that was stopped.

    \b
    Examples:
      safeeraser unlearn --data data/icons --method po+pd --output out/po+pd
      safeeraser unlearn --data data/icons --method po --output out/po steps=40 learning_rate=3e-4 lora_r=16
    """
    from safeeraser.benchmarks import read
    from safeeraser.records import VANILLA
    from safeeraser.runs.curves import Curve
    from safeeraser.runs.kit import Kit
    from safeeraser.unlearning.run import check
    from safeeraser.unlearning.run import unlearn as train

    if method == VANILLA:
        raise UserError(f"--method {VANILLA} is the model before unlearning: there is nothing to train")
    settings = stage_settings("unlearn", given, {"seed": seed, "model": model, "dtype": dtype, "methods": [method]})
    kit = Kit.of(settings)
    benchmark = read(data, layout)
    trained = settings.unlearning(method)
    check(benchmark.examples, benchmark.refusals, kit.methods[method], trained)  # before a model is loaded for nothing
    bound = kit.methods[method]
    curve = Curve.of(benchmark, kit.judge(benchmark.refusals), bound, trained, settings.generate)
    folder = train(kit.load(None), benchmark.examples, benchmark.refusals, bound, trained, output, curve)
    stdout.print(str(folder), markup=False, soft_wrap=True)

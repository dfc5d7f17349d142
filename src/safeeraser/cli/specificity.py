"""`specificity`: what the model can still do, on lmms-eval's benchmarks, before and after unlearning."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from safeeraser.cli.options import Adapters, Model, named
from safeeraser.cli.output import say, stdout

_ALL = "gqa,vizwiz,scienceqa,vqav2,pope,mmvet,mmbench"


def specificity(
    output: Annotated[Path, typer.Option("--output", help="Folder for what lmms-eval reports, a file a task.")],
    adapter: Adapters = None,
    model: Model = "tiny",
    tasks: Annotated[str, typer.Option("--tasks", help="Benchmarks, or any tasks of lmms-eval, with commas.")] = _ALL,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Documents of each task; all if not given.")
    ] = None,
    batch_size: Annotated[int, typer.Option("--batch-size", min=1, help="Questions answered at once.")] = 8,
    include_path: Annotated[Path | None, typer.Option("--include-path", help="Folder with tasks of your own.")] = None,
) -> None:
    """Score the model on general benchmarks through lmms-eval, before and after unlearning, side by side.

    Needs the extra: pip install 'safeeraser[specificity]'. mmvet and mmbench are scored by a language model whose key
    lmms-eval takes from the environment (OPENAI_API_KEY); mmbench_rules needs none. A task that is finished is not done
    again.

    \b
    Examples:
      safeeraser specificity --model tiny --adapter runs/demo/models/po+pd/adapter --tasks pope --limit 500 --output out
      safeeraser specificity --model llava-hf/llava-1.5-7b-hf --adapter out/po/adapter --output specificity/llava
      safeeraser specificity --tasks mine --include-path my-tasks --output specificity/mine
    """
    from safeeraser import specificity as lmms
    from safeeraser.runs.report.specificity import print_scores
    from safeeraser.specificity import extra

    extra.require()
    found = lmms.find([name.strip() for name in tasks.split(",") if name.strip()])
    settings = lmms.SpecificitySettings(model=model, limit=limit, batch_size=batch_size, include=include_path)
    print_scores(lmms.evaluate(named(adapter), found, settings, output), stdout)
    say(f"what lmms-eval reported: {output}")

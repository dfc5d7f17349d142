"""`demo`: the run that comes with the package."""

from __future__ import annotations

from importlib.resources import files
from typing import Annotated, Any

import typer

from safeeraser.cli.options import Overrides, PrintConfig, RunOutput, Seed, run_options
from safeeraser.cli.run import carry_out


def demo(
    given: Overrides = None,
    output: RunOutput = None,
    seed: Seed = None,
    limit: Annotated[
        int | None,
        typer.Option("--limit", min=1, help="Ask at most so many questions of each part, and train and attack less."),
    ] = None,
    print_config: PrintConfig = False,
) -> None:
    """Unlearn the embedded model, before and after.

    With po, with po+pd (Prompt Decouple) and with decide+pd+kl: all are measured and attacked, and printed beside
    the model before. This is a run of the configuration that comes with the package, in runs/demo unless told
    otherwise. With --limit the steps of training become fewer in proportion to the questions: 8 is a look at how it
    all goes, and its figures say little.

    \b
    Examples:
      safeeraser demo
      safeeraser demo --limit 8 --output runs/look
      safeeraser demo --seed 1 --output runs/seed-1 methods=[vanilla,po+pd]
    """
    text = files("safeeraser").joinpath("configs/demo.yaml").read_text(encoding="utf-8")
    options = run_options(seed=seed, limit=limit, output=output) | (_shorter(text, limit) if limit else {})
    carry_out(text, "demo.yaml", given, options, only_print=print_config)


def _shorter(text: str, limit: int) -> dict[str, Any]:
    """The keys that make training and attacks shorter: steps in proportion to the questions of the largest part."""
    from safeeraser.runs import parse

    settings = parse(text, "demo.yaml")
    share = min(1.0, limit / max(settings.limits.model_dump().values()))
    steps = {f"methods_settings.{name}.steps": own.steps for name, own in settings.methods_settings.items()}
    steps["unlearn.steps"] = settings.unlearn.steps
    fewer = {key: max(1, round(share * given)) for key, given in steps.items() if given is not None}
    return {**fewer, "attack_limit": min(limit, settings.attack_limit)}

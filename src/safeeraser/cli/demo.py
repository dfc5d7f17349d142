"""`demo`: the run that comes with the package."""

from __future__ import annotations

from importlib.resources import files

from safeeraser.cli.options import Limit, Overrides, PrintConfig, RunOutput, Seed, run_options
from safeeraser.cli.run import carry_out


def demo(
    given: Overrides = None,
    output: RunOutput = None,
    seed: Seed = None,
    limit: Limit = None,
    print_config: PrintConfig = False,
) -> None:
    """Unlearn the embedded model, before and after.

    With po and with po+pd (Prompt Decouple): all three are measured and printed side by side. This is a run of the
    configuration that comes with the package, in runs/demo unless told otherwise.

    \b
    Examples:
      safeeraser demo
      safeeraser demo --limit 24 --output runs/quick
      safeeraser demo --seed 1 --output runs/seed-1 methods=[vanilla,po+pd]
    """
    text = files("safeeraser").joinpath("configs/demo.yaml").read_text(encoding="utf-8")
    options = run_options(seed=seed, limit=limit, output=output)
    carry_out(text, "demo.yaml", given, options, only_print=print_config)

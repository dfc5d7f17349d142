"""`ablate`: an adapter that refuses less of what is harmless, without training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from safeeraser.cli.options import Data, Dtype, Format, Limit, Model, Seed, stage_settings
from safeeraser.cli.output import print_table, say
from safeeraser.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from safeeraser.runs.ablation import Trial

_SHARES = {"rr": "RR", "sarr": "SARR", "kept": "kept", "retain": "retain", "objective": "smallest"}


def ablate(
    data: Data,
    adapter: Annotated[Path, typer.Option("--adapter", help="LoRA adapter that refuses too much, in PEFT's format.")],
    output: Annotated[Path, typer.Option("--output", help="Folder for the new adapter; a new one.")],
    layout: Format = "released",
    model: Model = "tiny",
    dtype: Dtype = "auto",
    layer: Annotated[
        float | None,
        typer.Option("--layer", metavar="DEPTH", help="Share of the depth, above 0, below 1; chosen if not given."),
    ] = None,
    strength: Annotated[
        float | None,
        typer.Option("--strength", metavar="LAMBDA", help="Share to take out, above 0 to 1; chosen if not given."),
    ] = None,
    orthogonal: Annotated[
        float,
        typer.Option("--orthogonal", min=0, max=1, metavar="SHARE", help="Share of true refusal to spare: 1 is all."),
    ] = 1.0,
    limit: Limit = None,
    seed: Seed = None,
) -> None:
    """Take the direction of false refusal out of an adapter, without training (arXiv 2410.03415).

    The direction is learnt from the train split: harmful questions about safe pictures that the model refuses, against
    harmless questions that it answers, orthogonal to that of harmful questions. Layer and strength are chosen on the
    selection part (48 questions of each side if no --limit is given), the table of which is printed; validation is not
    looked at. The rules judge.

    \b
    Examples:
      safeeraser ablate --data data/icons --adapter runs/demo/models/po/adapter --output out/po-ablated
      safeeraser ablate --data data/icons --adapter out/po/adapter --output out/half --layer 0.6 --strength 0.5
      safeeraser evaluate --data data/icons --adapter out/po/adapter --adapter out/po-ablated --output out/compared
    """
    from safeeraser.benchmarks import read
    from safeeraser.files import require_new
    from safeeraser.models.adapters.ablate import check_plain_lora
    from safeeraser.runs import ablation
    from safeeraser.runs.kit import Kit

    depths, strengths = _tried(layer, strength)
    require_new(output)
    settings = stage_settings("generate", None, {"seed": seed, "model": model, "dtype": dtype})
    benchmark, kit = read(data, layout), Kit.of(settings)
    ablation.check(benchmark)  # before a model is loaded for nothing
    check_plain_lora(adapter)
    loaded = kit.load(adapter)
    say("asking what it refuses wrongly, then trying what to take out")
    trials, best = ablation.ablate(
        loaded,
        benchmark,
        kit.judge(benchmark.refusals),
        output,
        depths=depths or ablation.DEPTHS,
        strengths=strengths or ablation.STRENGTHS,
        share=orthogonal,
        limit=limit or ablation.QUESTIONS,
        seed=settings.seed,
    )
    print_table([["layer", "strength", "cosine", *_SHARES.values()], *(_row(each, each is best) for each in trials)])
    say(_SPELLED)
    if best.rank <= trials[0].rank:
        say("none of them is better than the adapter as it is; the best of them is written")
    say(f"adapter: {output}")


_SPELLED = (
    "Per cent of answers on the selection part; the first line is the adapter as it is, * is what is written. cosine: "
    "of false and true refusal, before the one was made orthogonal to the other. smallest: of RR, 100 - SARR, kept, "
    "retain."
)


def _tried(layer: float | None, strength: float | None) -> tuple[list[float], list[float]]:
    """Depths and strengths that options name. Raises UserError for one out of range."""
    if layer is not None and not 0 < layer < 1:
        raise UserError(f"--layer must be above 0 and below 1, not {layer}")
    if strength is not None and not 0 < strength <= 1:
        raise UserError(f"--strength must be above 0 and at most 1, not {strength}")
    return [] if layer is None else [layer], [] if strength is None else [strength]


def _row(trial: Trial, best: bool) -> Sequence[str]:
    shares = [f"{100 * trial.found[name]:.1f}" if name in trial.found else "-" for name in _SHARES]
    where = [str(trial.layer), f"{trial.strength:g}", f"{trial.cosine:.2f}"] if trial.strength else ["-", "0", "-"]
    return [*where, *shares[:-1], shares[-1] + " *" * best]

"""A run's stages one at a time, on files: `unlearn`, `generate`, `judge`; `agreement` and `pretrain`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from safeeraser.cli.options import Data, Limit, Model, Overrides, Parts, Seed, chosen
from safeeraser.cli.output import say, stdout
from safeeraser.errors import UserError

Generations = Annotated[Path, typer.Option("--generations", help="Answers, as `generate` writes them.")]
JudgeName = Annotated[str, typer.Option("--judge", help="The judge; `safeeraser judges` lists them.")]


def unlearn(
    data: Data,
    method: Annotated[str, typer.Option("--method", help="What to train; `safeeraser methods` lists them.")],
    output: Annotated[Path, typer.Option("--output", help="Folder for adapter/, manifest.json and loss.jsonl.")],
    given: Overrides = None,
    model: Model = "tiny",
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
    from safeeraser import pipeline
    from safeeraser.cli import wiring
    from safeeraser.config import VANILLA
    from safeeraser.unlearn import unlearn as train

    if method == VANILLA:
        raise UserError(f"--method {VANILLA} is the model before unlearning: there is nothing to train")
    settings = wiring.settings("unlearn", given, seed=seed, model=model, methods=[method])
    kit = wiring.kit(settings)
    benchmark = kit.read(data)
    trained = pipeline.unlearn_settings(settings, method)
    folder = train(kit.load(None), benchmark.examples, benchmark.refusals, kit.methods[method], trained, output)
    stdout.print(str(folder), markup=False, soft_wrap=True)


def pretrain(
    output: Annotated[Path, typer.Option("--output", help="Folder for the weights; a new one.")],
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of every random choice.")] = 2,
) -> None:
    """Train the embedded model again from nothing.

    A projector and an adapter like those that come with the package, from the pretrained parts; about twenty minutes
    on two cores. docs/embedded.md says in what they differ.

    \b
    Example:
      safeeraser pretrain --output out/weights
    """
    from safeeraser.pretrain import pretrain as train

    stdout.print(str(train(output, seed=seed)), markup=False, soft_wrap=True)


def generate(
    data: Data,
    output: Annotated[Path, typer.Option("--output", help="File for the answers, one line of JSON each.")],
    given: Overrides = None,
    model: Model = "tiny",
    adapter: Annotated[Path | None, typer.Option("--adapter", help="Adapter to answer with.")] = None,
    part: Parts = None,
    limit: Limit = None,
    seed: Seed = None,
) -> None:
    """Answer the questions of a benchmark.

    KEY=VALUE are the keys of `generate` in a run's configuration. Answers that are in the file already are kept.

    \b
    Examples:
      safeeraser generate --data data/icons --output vanilla.jsonl
      safeeraser generate --data data/icons --adapter out/po/adapter --part generality --limit 48 --output po.jsonl
      safeeraser generate --data data/icons --output sampled.jsonl temperature=1 top_p=0.9 samples=3
    """
    from safeeraser import pipeline
    from safeeraser.cli import wiring
    from safeeraser.generate import generate as answer

    settings = wiring.settings("generate", given, seed=seed, model=model)
    kit = wiring.kit(settings)
    examples = chosen(kit.read(data).examples, part, limit, settings.seed)
    answer(kit.load(adapter), examples, pipeline.generate_settings(settings), output)
    say(f"answers: {output}")


def judge(
    data: Data,
    generations: Generations,
    output: Annotated[Path, typer.Option("--output", help="File for the verdicts, one line of JSON each.")],
    judge: JudgeName = "rules",
) -> None:
    """Judge answers: refusals, nonsense, compliance, facts.

    Answers that have their verdicts already are not judged again; delete the file when answers change.

    \b
    Example:
      safeeraser judge --data data/icons --generations po.jsonl --output verdicts.jsonl
    """
    from safeeraser.cli import wiring
    from safeeraser.judges.run import judge_file
    from safeeraser.records import Generation, read_jsonl

    benchmark = wiring.read(data)
    made = wiring.judge(judge)(benchmark.refusals)
    tally = judge_file(made, benchmark.examples, read_jsonl(generations, Generation), output)
    say(f"{tally.judged_now} of {tally.answers} answers judged now: {output}")


def agreement(
    labels: Annotated[Path, typer.Argument(metavar="LABELS.jsonl", help="Answers that somebody read and labelled.")],
    judge: JudgeName = "rules",
) -> None:
    """Compare a judge with people: TPR, TNR and Cohen's kappa on each axis, and every answer they differ on.

    \b
    Example:
      safeeraser agreement labels/tiny.jsonl
    """
    from safeeraser.cli import wiring
    from safeeraser.judges import agreement as compare
    from safeeraser.judges.labels import read_labels

    found = compare.agreement(wiring.judge(judge)(()), read_labels(labels))
    stdout.print(compare.to_markdown(found), markup=False, soft_wrap=True)
    for read, verdict in (pair for each in found for pair in each.differences):
        line = (
            f"{verdict.axis}: judge {verdict.value:g}, people {read.labels[verdict.axis]}: {read.generation.answer!r}"
        )
        stdout.print(f"{line} ({verdict.reason})", markup=False, soft_wrap=True)

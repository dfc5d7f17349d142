"""What a model says and what it finds likely: `generate`, `likelihood`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from safeeraser.cli.options import Data, Dtype, Format, Limit, Model, Overrides, Parts, Seed, chosen
from safeeraser.cli.output import say, stdout
from safeeraser.errors import UserError

Adapter = Annotated[Path | None, typer.Option("--adapter", help="Adapter to answer with.")]


def generate(
    data: Data,
    output: Annotated[Path, typer.Option("--output", help="File for the answers, one line of JSON each.")],
    given: Overrides = None,
    layout: Format = "released",
    model: Annotated[
        str | None,
        typer.Option("--model", help="tiny (if not given), a folder, or a hub id; with --server, what it calls it."),
    ] = None,
    adapter: Adapter = None,
    dtype: Dtype = "auto",
    server: Annotated[
        str | None, typer.Option("--server", metavar="URL", help="Ask the model on this OpenAI-compatible server.")
    ] = None,
    concurrency: Annotated[int, typer.Option("--concurrency", min=1, help="Requests to --server at once.")] = 8,
    part: Parts = None,
    limit: Limit = None,
    seed: Seed = None,
) -> None:
    """Answer the questions of a benchmark.

    KEY=VALUE are the keys of `generate` in a run's configuration. Answers that are in the file already are kept.
    Started by torchrun or `accelerate launch`, every process answers its share.

    A server's key is read from the environment variable OPENAI_API_KEY. What it does not answer is asked again by the
    same command; the exit code is 3 while answers are missing.

    \b
    Examples:
      safeeraser generate --data data/icons --output vanilla.jsonl
      safeeraser generate --data data/icons --adapter out/po/adapter --part generality --limit 48 --output po.jsonl
      safeeraser generate --data data/icons --output sampled.jsonl protocol=paper max_new_tokens=64
      safeeraser generate --data data/icons --server http://localhost:8000/v1 --model llava --output served.jsonl
    """
    from safeeraser.cli import wiring
    from safeeraser.generation.run import generate as answer
    from safeeraser.models.processes import processes

    state = processes()  # before the model is loaded, so that each goes to its own device
    local = "tiny" if server or not model else model
    settings = wiring.settings("generate", given, seed=seed, model=local, dtype=dtype)
    examples = chosen(wiring.read(data, layout).examples, part, limit, settings.seed)
    wanted = settings.generate
    if server is None:
        answer(wiring.kit(settings).load(adapter), examples, wanted, output)
    elif state.is_main_process:
        from safeeraser.endpoint import Endpoint, EndpointSettings
        from safeeraser.generation.server import generate_from_server

        place = EndpointSettings(url=server, model=_served(model, adapter), concurrency=concurrency)
        generate_from_server(Endpoint(place), examples, wanted, output)
    if state.is_main_process:
        say(f"answers: {output}")


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
    from safeeraser.cli import wiring
    from safeeraser.generation.likelihood.candidates import candidates
    from safeeraser.generation.likelihood.measure import measure
    from safeeraser.metrics.likelihood import metrics
    from safeeraser.models.processes import processes
    from safeeraser.records import Likelihood, read_jsonl
    from safeeraser.runs import pipeline
    from safeeraser.runs.report.likelihood import as_table

    state = processes()
    settings = wiring.settings("generate", None, seed=seed, model=model, dtype=dtype)
    benchmark = wiring.read(data, layout)
    asked = chosen(benchmark.examples, part, limit, settings.seed)
    texts = candidates(asked, benchmark.examples, benchmark.refusals, contrasts=contrasts, seed=settings.seed)
    measure(wiring.kit(settings).load(adapter), texts, output, batch_size=batch_size)
    if not state.is_main_process:
        return
    found = metrics(name, asked, read_jsonl(output, Likelihood))
    if scores is not None:
        pipeline.write_metrics(scores, found)
    stdout.print(as_table(found))


def _served(model: str | None, adapter: Path | None) -> str:
    """The model to ask a server for."""
    if model is None:
        raise UserError("--server needs --model, which is what the server calls the model")
    if adapter is not None:
        raise UserError("--adapter cannot be used with --server, which has loaded its own weights")
    return model

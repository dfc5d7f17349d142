"""`generate`: a model's answers to a benchmark's questions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from safeeraser.cli.options import Adapter, Data, Dtype, Format, Limit, Overrides, Parts, Seed, chosen, stage_settings
from safeeraser.cli.output import say
from safeeraser.errors import UserError


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
    from safeeraser.benchmarks import read
    from safeeraser.generation.run import generate as answer
    from safeeraser.models.processes import processes
    from safeeraser.runs.kit import Kit

    state = processes()  # before the model is loaded, so that each goes to its own device
    local = "tiny" if server or not model else model
    settings = stage_settings("generate", given, {"seed": seed, "model": local, "dtype": dtype})
    examples = chosen(read(data, layout).examples, part, limit, settings.seed)
    wanted = settings.generate
    if server is None:
        answer(Kit.of(settings).load(adapter), examples, wanted, output)
    elif state.is_main_process:
        from safeeraser.endpoint.client import Endpoint
        from safeeraser.endpoint.settings import EndpointSettings
        from safeeraser.generation.server import generate_from_server

        place = EndpointSettings(url=server, model=_served(model, adapter), concurrency=concurrency)
        generate_from_server(Endpoint(place), examples, wanted, output)
    if state.is_main_process:
        say(f"answers: {output}")


def _served(model: str | None, adapter: Path | None) -> str:
    """The model to ask a server for."""
    if model is None:
        raise UserError("--server needs --model, which is what the server calls the model")
    if adapter is not None:
        raise UserError("--adapter cannot be used with --server, which has loaded its own weights")
    return model

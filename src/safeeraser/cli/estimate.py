"""`estimate`: what a run takes, before anything is started."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from safeeraser.cli.options import Limit, Overrides, run_options
from safeeraser.cli.output import say, stdout
from safeeraser.errors import UserError


def estimate(
    config: Annotated[Path, typer.Argument(metavar="CONFIG.yaml", help="The run's settings.")],
    given: Overrides = None,
    limit: Limit = None,
    processes: Annotated[int, typer.Option(min=1, help="Processes that share the run, one a device.")] = 1,
    sharded: Annotated[bool, typer.Option("--sharded", help="Weights are spread over them (FSDP2, ZeRO-3).")] = False,
    device: Annotated[
        str | None, typer.Option(help="cpu, or a GPU such as h100, a100-80gb, l4, rtx4090; what is here if not given.")
    ] = None,
    memory: Annotated[float | None, typer.Option("--device-memory", min=0.1, help="GB of each device.")] = None,
    flops: Annotated[float | None, typer.Option("--flops", min=0.001, help="TFLOP/s of each device, at most.")] = None,
    share: Annotated[float | None, typer.Option(min=0.01, max=1, help="The share of it that is reached.")] = None,
) -> None:
    """Estimate a run's memory on each device and its hours, stage by stage, and which settings would fit.

    Reads the model's configuration, not its weights, and the data, which are built if they are icons and not there yet.

    \b
    Examples:
      safeeraser estimate run.yaml
      safeeraser estimate run.yaml --device a100-80gb --processes 8
      safeeraser estimate run.yaml model=llava-hf/llava-1.5-7b-hf --device rtx4090
      safeeraser estimate run.yaml --device h100 --device-memory 24 --flops 300
    """
    say("loading libraries")
    from safeeraser import runs
    from safeeraser.cli.names import names
    from safeeraser.models.chat import ChatTokenizer
    from safeeraser.models.load import DTYPES, load_processor
    from safeeraser.models.quantised import NF4
    from safeeraser.runs import pipeline
    from safeeraser.runs.estimate import devices, reckon, table, work
    from safeeraser.runs.estimate.outline import Outline
    from safeeraser.runs.kit import Kit

    settings = runs.parse(runs.read_text(config), str(config), given or [], names(), run_options(limit=limit))
    dtype = DTYPES.get(settings.dtype) or devices.default_dtype(device)
    on = devices.here(dtype) if device is None else devices.cpu(dtype) if device == devices.CPU else devices.gpu(device)
    machine = reckon.Machine(on.given(memory=memory, flops=flops, share=share), processes, sharded)
    if settings.dtype == NF4 and not on.gpu:
        raise UserError("dtype nf4 needs a CUDA GPU: name one with --device")
    processor, shape, generation = load_processor(settings.model)
    kit = Kit.of(settings)
    benchmark = pipeline.prepare(settings.data, kit, say)
    chat = ChatTokenizer.configured(processor, shape, generation)
    asked = pipeline.asked(benchmark, settings, say)
    planned = work.of_run(settings, benchmark, asked, kit.methods, chat)
    outline, four_bits = (Outline(shape, dtype, quantised=each) for each in (settings.dtype == NF4, True))
    made = reckon.stages(outline, planned, machine)
    others = reckon.changes(outline, four_bits, planned, machine) if planned.trainings else []
    stdout.print(table.shown(outline, settings.model, planned, machine, made, others))

"""From a model's outline, the work and a device to memory and hours: nothing is read, run or written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple, dataclass, replace
from functools import partial

from safeeraser.errors import UserError
from safeeraser.models.forward import CELLS
from safeeraser.runs.estimate.devices import Device
from safeeraser.runs.estimate.outline import Adapter, Batch, Outline, Step
from safeeraser.runs.estimate.work import Answering, Training, Work
from safeeraser.unlearning.settings import UnlearnSettings

_FEATURES = 4 * 2**30  # bytes of pictures' features that a process keeps (models.vision)
_ADAM = 2 * 4  # bytes of AdamW's two means of a number
_FLOAT32 = 4
_UPHILL = 3 * _FLOAT32  # of +sam: what was there before, the step uphill, and the gradient found there


@dataclass(frozen=True, slots=True)
class Machine:
    """Devices that share a run, one a process; `sharded`: each holds a part of the weights (FSDP2, ZeRO-3)."""

    device: Device
    processes: int = 1
    sharded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Bytes on a device at the peak of a stage, by what they hold."""

    weights: float = 0.0
    adapter: float = 0.0
    """What is trained, in float32, with its gradients and AdamW's state."""
    activations: float = 0.0
    """Activations, logits and what is there for a moment."""
    keys_and_values: float = 0.0
    pictures: float = 0.0
    """Features of pictures that are kept."""
    runtime: float = 0.0

    @property
    def total(self) -> float:
        """All of it."""
        return float(sum(astuple(self)))


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage's work in words, its memory on each device, and its seconds."""

    name: str
    work: str
    memory: Memory
    seconds: float


@dataclass(frozen=True, slots=True)
class Change:
    """Other settings for the training that takes the most: what to set, memory on each device, seconds of all of it."""

    settings: str
    memory: float
    seconds: float


def stages(outline: Outline, work: Work, machine: Machine) -> list[Stage]:
    """Every stage of a run. Raises UserError where processes cannot share the rows of a step evenly."""
    trained = [_train(outline, work, each, machine) for each in work.trainings]
    return [*trained, *(_answer(outline, work, each, machine) for each in work.answerings)]


def _train(outline: Outline, work: Work, training: Training, machine: Machine) -> Stage:
    settings, processes = training.settings, machine.processes
    size, accumulation = settings.share(processes)
    adapter = Adapter.of(settings)
    largest, distributions = training.largest(size)
    made = partial(Step, adapter, not machine.device.gpu, settings.gradient_checkpointing)
    usual = training.usual(size)
    flops = outline.step(usual, made()).flops
    flops += outline.forward(replace(usual, rows=training.references * size)).flops if training.references else 0
    flops += outline.step(replace(usual, rows=training.uphill * size), made()).flops if training.uphill else 0
    seconds = training.steps * accumulation * flops / (machine.device.flops * machine.device.share)
    pictures = training.steps * accumulation * usual.pictures
    seen, kept = _sight(outline, work, min(pictures, training.pictures), pictures, machine)
    trained = outline.trained(adapter)
    memory = Memory(
        weights=_weights(outline, machine),
        adapter=_adapter_bytes(outline, trained, accumulation, machine) + _beside(training) * trained,
        activations=outline.step(largest, made(distributions)).peak + outline.dequantised,
        pictures=kept,
        runtime=machine.device.runtime,
    )
    rows = f"{training.steps:,} steps x {settings.rows_per_step} rows, {usual.tokens} tokens"
    return Stage(f"train {training.name}", rows, memory, seconds + seen)


def _beside(training: Training) -> int:
    """Bytes of what is kept of each trained weight besides: where +sam came from, and the mean of +swa."""
    return (_UPHILL if training.uphill else 0) + (_FLOAT32 if training.averaged else 0)


def _weights(outline: Outline, machine: Machine) -> float:
    """Of sharded weights a device holds its part, and whole two layers and what is not a layer, when they are used."""
    parts = outline.parts
    if not machine.sharded:
        return parts.total
    return parts.total / machine.processes + 2 * parts.layer + parts.total - parts.layers


def _adapter_bytes(outline: Outline, trained: int, accumulation: int, machine: Machine) -> float:
    """What is trained in float32, AdamW's state, and gradients where they last from one backward pass to the next."""
    copy = outline.itemsize if outline.itemsize < _FLOAT32 else 0  # what autocast makes of it
    gradients = _FLOAT32 * ((accumulation > 1) + (machine.processes > 1 and not machine.sharded))
    own = trained * (_FLOAT32 + _ADAM + gradients)
    return own / (machine.processes if machine.sharded else 1) + trained * copy


def _sight(outline: Outline, work: Work, different: int, shown: int, machine: Machine) -> tuple[float, float]:
    """Seconds that a device spends on looking at pictures, and bytes that it keeps of them."""
    if work.picture is None:
        return 0.0, 0.0
    cost = outline.sight(*work.picture)
    keeps = cost.kept and not machine.sharded
    fit = _FEATURES // cost.kept if keeps else 0
    looks = different if keeps and different <= fit else shown
    seconds = looks * cost.flops / (machine.device.flops * machine.device.share)
    return seconds, min(different, fit) * cost.kept


def _answer(outline: Outline, work: Work, answering: Answering, machine: Machine) -> Stage:
    """Prompts go as fast as matrix products, tokens as fast as weights, keys and values can be read."""
    device = machine.device
    questions = -(-answering.questions // machine.processes)
    size, new = min(answering.batch, questions), answering.new_tokens
    usual, longest = sum(answering.prompts) // len(answering.prompts), max(answering.prompts)
    batches = questions / size
    first = outline.forward(Batch(size, usual), cached=True)
    each = outline.forward(Batch(size, 1), cached=True)
    read = outline.parts.layers + outline.parts.vocabulary + first.kept * (usual + new / 2) / usual
    rate = device.flops * device.share
    seconds = batches * (first.flops / rate + new * max(each.flops / rate, read / device.bandwidth))
    seen, kept = _sight(outline, work, answering.pictures, questions, machine)
    piece = max(1, min(size, CELLS // longest**2))
    prompt = outline.forward(Batch(piece, longest), cached=True)
    values = prompt.kept * (longest + new) / longest
    memory = Memory(
        weights=outline.parts.total,
        activations=max(prompt.peak - prompt.kept, each.peak + values / outline.layers) + outline.dequantised,
        keys_and_values=values,
        pictures=kept,
        runtime=device.runtime,
    )
    what = f"{answering.questions:,} of {usual} tokens, {size} at once, {new} new"
    return Stage(answering.name, what, memory, seconds + seen)


def changes(outline: Outline, quantised: Outline, work: Work, machine: Machine) -> list[Change]:
    """What else the trainings could be made with: the same steps in less memory; the first is what is set.

    On GPUs also in four bits, which `quantised` outlines, and with the weights spread over more and more of them, up to
    where that fits.
    """
    found = [_changed(outline, work, machine, *way) for way in _WAYS]
    if machine.device.gpu:
        found += [_changed(quantised, work, machine, f"dtype=nf4 {words}", change) for words, change in _WAYS[1:]]
        for processes in (2**power for power in range(1, 7)):
            spread = replace(machine, processes=machine.processes * processes, sharded=True)
            words, change = _WAYS[1]
            made = _changed(outline, work, spread, f"FSDP2 on {spread.processes} {words}", change)
            found.append(made)
            if made is not None and made.memory <= machine.device.memory:
                break
    different: dict[tuple[float, float], Change] = {}
    for each in found:
        if each is not None:
            different.setdefault((each.memory, each.seconds), each)
    return list(different.values())


def _plain(settings: UnlearnSettings) -> UnlearnSettings:
    return settings


def _checkpointed(settings: UnlearnSettings) -> UnlearnSettings:
    return settings.changed(gradient_checkpointing=True)


def _single(settings: UnlearnSettings) -> UnlearnSettings:
    return settings.changed(batch_size=1, accumulation=settings.rows_per_step)


def _least(settings: UnlearnSettings) -> UnlearnSettings:
    return _checkpointed(_single(settings))


_WAYS = (
    ("as set", _plain),
    ("gradient_checkpointing=true", _checkpointed),
    ("batch_size=1, the more accumulation", _single),
    ("both of these", _least),
)


def _changed(
    outline: Outline,
    work: Work,
    machine: Machine,
    words: str,
    change: Callable[[UnlearnSettings], UnlearnSettings],
) -> Change | None:
    """None where the processes cannot share the rows of a step."""
    trainings = [replace(each, settings=change(each.settings)) for each in work.trainings]
    try:
        made = [_train(outline, work, each, machine) for each in trainings]
    except UserError:
        return None
    return Change(words, max(each.memory.total for each in made), sum(each.seconds for each in made))

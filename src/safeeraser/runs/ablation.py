"""Which direction of a model that refuses too much is taken out, and how much of it: chosen on the selection part.

The single-vector ablation of false refusal (arXiv 2410.03415) with the pictures of Prompt Decouple: what the model
refuses wrongly are harmful questions about safe pictures. All directions come from the train split.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from torch import Tensor

from safeeraser import provenance
from safeeraser.attacks.weights import mapped
from safeeraser.benchmarks.benchmark import Benchmark
from safeeraser.errors import UserError
from safeeraser.generation.engine import Engine
from safeeraser.generation.settings import GenerateSettings
from safeeraser.judges import Judge
from safeeraser.metrics.objective import WANTED, parts
from safeeraser.models.adapters import write_ablated
from safeeraser.models.hidden import direction, last_states, orthogonal, without, writers
from safeeraser.models.load import LoadedModel
from safeeraser.models.quantised import is_quantised
from safeeraser.progress import ProgressBar
from safeeraser.records import Axis, Example, Split, Stream
from safeeraser.runs.curves import Curve, ask, sample

DEPTHS = (0.4, 0.5, 0.6, 0.7, 0.8)
"""Shares of the model's depth that are tried where none is given."""
STRENGTHS = (0.5, 1.0)
"""Shares of what is written along the direction that are tried where none is given."""
QUESTIONS = 48
"""Questions of each side of the selection part, where no limit is given."""
_EXAMPLES = 64
"""Prompts of each kind that a mean of hidden states is taken over; as many again are asked to find them."""
_FEWEST = 4
_GREEDY = GenerateSettings(max_new_tokens=32)
_WHOLE = {"kept": 1.0, "retain": 1.0}
"""What answers kept and retain are shares of here: the model before unlearning is not loaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What the selection part says of one direction: `found` as `Curve.measure`, all shares of 0..1.

    The direction is that behind decoder layer `layer`, `strength` of it is taken out; `cosine` is how much wrong and
    right refusals had in common before the one was made orthogonal to the other. Strength 0 is the adapter as it is.
    """

    layer: int = 0
    strength: float = 0.0
    cosine: float = 0.0
    found: dict[str, float]

    @property
    def rank(self) -> tuple[float, float]:
        """What the best has most of: the objective, and where that is equal, the mean of what it is the smallest of."""
        every = [value for name, value in parts(self.found, _WHOLE).items() if name in WANTED]
        return self.found["objective"], sum(every) / len(every)


@dataclass(frozen=True, slots=True)
class Way:
    """The unit vector [width] that tells wrong refusals behind a layer, and its cosine with right ones as it was."""

    layer: int
    away: Tensor
    cosine: float


@dataclass(frozen=True, slots=True)
class Prompts:
    """Prompts that the model refuses wrongly, that it answers, and that are harmful."""

    refused: Sequence[Example]
    answered: Sequence[Example]
    harmful: Sequence[Example]


def check(benchmark: Benchmark) -> None:
    """Raises UserError naming every kind of example that is lacking, before a model is loaded for nothing."""
    needs = [(Split.TRAIN, stream) for stream in Stream]
    needs += [(Split.SELECTION, stream) for stream in (Stream.FORGET, Stream.DECOUPLED)]
    missing = [f"{stream} examples in {split}" for split, stream in needs if not _pool(benchmark, split, stream)]
    if missing:
        raise UserError(f"{benchmark.folder}: nothing to choose a direction by: no {', no '.join(missing)}")


def ablate(
    loaded: LoadedModel,
    benchmark: Benchmark,
    judge: Judge,
    output: Path,
    *,
    depths: Sequence[float] = DEPTHS,
    strengths: Sequence[float] = STRENGTHS,
    share: float = 1.0,
    limit: int = QUESTIONS,
    seed: int = 233,
) -> tuple[list[Trial], Trial]:
    """Try each depth with each strength, write the adapter of the best to `output`; return all trials, and the best.

    `loaded` is the model with its adapter merged, and the same again afterwards. `share` of what a direction has along
    true refusal is taken out of it first, so that harmful questions are refused as before. `limit` questions of each
    side of the selection part are asked. The first trial is the adapter as it is, which is never the best.
    Raises UserError where the model refuses or answers too few prompts to learn a direction from, and for nf4.
    """
    if is_quantised(loaded.model):
        raise UserError(f"model {loaded.name}: what it writes in nf4 cannot be changed: use another dtype")
    prompts = _prompts(loaded, benchmark, judge, seed)
    ways = _directions(loaded, prompts, depths, share)
    asked = sample(benchmark, limit, seed)
    curve = Curve(examples=asked, refusals=benchmark.refusals, judge=judge, settings=_GREEDY)
    trials = [Trial(found=curve.measure(loaded, _WHOLE))]
    trials += _tried(loaded, curve, ways, strengths)
    best = max(trials[1:], key=lambda each: each.rank)
    inputs = _inputs(loaded, benchmark, prompts, curve, share, seed)
    made = {"inputs": inputs, "chosen": asdict(best), "trials": list(map(asdict, trials)), **provenance.made_with()}
    away = next(way.away for way in ways if way.layer == best.layer)
    write_ablated(loaded, away, best.strength, output, made, _facts(inputs, best))
    return trials, best


def _pool(benchmark: Benchmark, split: Split, stream: Stream) -> list[Example]:
    """The examples of a stream; of harmless questions those about pictures, where there are any."""
    found = [each for each in benchmark.examples if (each.split, each.stream) == (split, stream)]
    return [each for each in found if each.image is not None] or found


def _prompts(loaded: LoadedModel, benchmark: Benchmark, judge: Judge, seed: int) -> Prompts:
    """Prompts of the train split, drawn, and told apart by what the model answers."""
    drawn = {}
    for stream in Stream:
        pool = _pool(benchmark, Split.TRAIN, stream)
        random.Random(f"{seed}/ablate/{stream}").shuffle(pool)
        drawn[stream] = pool
    engine = Engine(loaded, _GREEDY)
    refused, answered = (
        _refused(engine, judge, drawn[stream][: 2 * _EXAMPLES], wanted)
        for stream, wanted in ((Stream.DECOUPLED, True), (Stream.RETAIN, False))
    )
    _check_enough(loaded, refused, "harmful questions about safe pictures that it refuses")
    _check_enough(loaded, answered, "harmless questions that it answers")
    return Prompts(refused, answered, drawn[Stream.FORGET][:_EXAMPLES])


def _check_enough(loaded: LoadedModel, found: Sequence[Example], what: str) -> None:
    if len(found) < _FEWEST:
        raise UserError(f"{loaded.adapter}: {len(found)} {what}: too few to learn a direction from")


def _refused(engine: Engine, judge: Judge, examples: Sequence[Example], wanted: bool) -> list[Example]:
    """Up to `_EXAMPLES` that the model refuses, or answers, as the judge has it; it is asked until there are enough."""
    found: list[Example] = []
    size = _GREEDY.batch_size
    with ProgressBar(f"ask what it {'refuses' if wanted else 'answers'}", len(examples)) as bar:
        for start in range(0, len(examples), size):
            batch = examples[start : start + size]
            _, verdicts = ask(engine, _GREEDY, judge, batch)
            values = {each.example_id: each.value for each in verdicts if each.axis is Axis.REFUSAL}
            found += [each for each in batch if values.get(each.id) == float(wanted)]
            bar.advance(len(batch))
            if len(found) >= _EXAMPLES:
                break
    return found[:_EXAMPLES]


def _directions(loaded: LoadedModel, prompts: Prompts, depths: Iterable[float], share: float) -> list[Way]:
    """The direction to take out behind each layer that is at one of these depths."""
    refused, answered, harmful = (
        last_states(loaded, each) for each in (prompts.refused, prompts.answered, prompts.harmful)
    )
    last = len(refused) - 2  # what transformers gives behind the last layer has been through the final norm
    ways = []
    for layer in sorted({min(max(1, round(depth * (last + 1))), last) for depth in depths}):
        wrongly, rightly = (direction(each[layer], answered[layer]) for each in (refused, harmful))
        ways.append(Way(layer, orthogonal(wrongly, rightly, share), float(wrongly @ rightly)))
    return ways


def _tried(loaded: LoadedModel, curve: Curve, ways: Sequence[Way], strengths: Sequence[float]) -> Iterator[Trial]:
    """What each direction comes to, taken out with each strength."""
    weights = {name: each.weight.data for name, each in writers(loaded.model).items()}
    with ProgressBar("ablate", len(ways) * len(strengths)) as bar:
        for way, strength in product(ways, strengths):
            with mapped(weights, partial(without, away=way.away, strength=strength)):
                found = curve.measure(loaded, _WHOLE)
            yield Trial(layer=way.layer, strength=strength, cosine=way.cosine, found=found)
            bar.advance()


def _inputs(
    loaded: LoadedModel, benchmark: Benchmark, prompts: Prompts, curve: Curve, share: float, seed: int
) -> dict[str, Any]:
    """What the adapter depends on."""
    counts = {name: len(getattr(prompts, name)) for name in ("refused", "answered", "harmful")}
    own = {"data": benchmark.hash, "seed": seed, "orthogonal": share, "prompts": counts, "selection": curve.identity}
    return {"method": "ablate", **loaded.identity, **own}


def _facts(inputs: dict[str, Any], best: Trial) -> dict[str, Any]:
    """What the card says."""
    settings = {name: inputs[name] for name in ("adapter", "seed", "orthogonal")}
    settings |= {name: getattr(best, name) for name in ("layer", "strength")}
    known = {name: inputs[name] for name in ("model", "revision", "data")}
    return {**known, "method": "ablation of false refusals", "settings": settings}

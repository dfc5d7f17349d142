"""What attacks are run on: models, attacks with their points, and all that the figures depend on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from safeeraser.attacks.base import Attack, Target
from safeeraser.benchmarks.benchmark import Benchmark
from safeeraser.endpoint.client import Endpoint
from safeeraser.errors import UserError, unknown
from safeeraser.generation.settings import GenerateSettings
from safeeraser.judges import Judge
from safeeraser.models.load import LoadedModel
from safeeraser.records import Cost
from safeeraser.runs import costs
from safeeraser.runs.folder import RunFolder
from safeeraser.unlearning.sharding import weights_are_sharded


@dataclass(frozen=True, slots=True)
class Chosen:
    """An attack with the points of its sweep that are run; what it trains is written into the folder `keep`, if any.

    Raises UserError for a point that it does not have, for one that trains nothing to be kept, and where processes were
    started to share the weights.
    """

    attack: Attack
    sweep: tuple[str, ...]
    keep: Path | None = None

    def __post_init__(self) -> None:
        if weights_are_sharded():
            raise UserError("attacks need whole weights in every process: start them without FSDP or ZeRO-3")
        if self.keep is not None and not self.attack.keeps:
            raise UserError(f"{self.attack.name}: keep: this attack trains nothing that could be kept")
        for point in self.sweep:
            if point not in self.attack.sweep:
                raise UserError(f"{self.attack.name}: {unknown('point of the sweep', point, self.attack.sweep)}")


@dataclass(frozen=True, slots=True)
class Subject:
    """A model that is attacked: what is known of it, and how it is loaded, or the server that answers for it.

    `answers` is the file of a run with its answers when it was not attacked. `identity` says which weights it is, as
    far as that is known before it is loaded: what is finished is not loaded again, and must be this model's.
    """

    target: Target
    load: Callable[[], LoadedModel] | Endpoint
    answers: Path | None = None
    identity: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttackRun:
    """All that the figures depend on. `limit` is how many questions of each side are asked.

    `before` are questions that the subjects have answered before, by their ids; these are asked first.
    """

    benchmark: Benchmark
    subjects: Sequence[Subject]
    chosen: Sequence[Chosen]
    judge: Judge
    settings: GenerateSettings
    limit: int
    seed: int
    output: Path
    failure_limit: float = 0.02
    before: frozenset[str] = frozenset()

    def clock(self, spent: Callable[[], Cost] = Cost) -> AbstractContextManager[None]:
        """Adds what a block takes to what these attacks took."""
        return costs.clock(RunFolder(self.output).costs, costs.ATTACKS, spent)

"""The one model that a run or a sweep has in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from safeeraser.models.features import Features, fingerprint
from safeeraser.models.load import LoadedModel
from safeeraser.models.processes import processes
from safeeraser.runs.folder import RunFolder
from safeeraser.runs.kit import Load

Say = Callable[[str], None]


class OneModel:
    """The one model in memory, noted in its folder. Asking for another adapter drops it before the other is loaded.

    The other need not look again at pictures that the one has seen, where the adapter leaves the vision tower alone.
    Where the precision is left to the machine, it is the one in which the folder was begun, be it on another machine.
    """

    def __init__(self, load: Load, folder: RunFolder, say: Say) -> None:
        self._load = load
        self._say = say
        self._folder = folder
        self._loaded: LoadedModel | None = None
        self._seen: tuple[str, Features] | None = None
        self._noted = False

    def get(self, adapter: Path | None = None) -> LoadedModel:
        """The model with this adapter, or as it was before."""
        if self._loaded is None or self._loaded.adapter != adapter:
            self._loaded = None
            self._say("loading the model" + (f" with {adapter}" if adapter else ""))
            self._loaded = self._seeing(self._load(adapter, self._folder.model_dtype))
            self._note(self._loaded)
        return self._loaded

    def _seeing(self, loaded: LoadedModel) -> LoadedModel:
        """The model with what another one with the same vision tower has seen."""
        model: Any = loaded.model
        tower = fingerprint(model.get_encoder(modality="image"))
        if self._seen is None or self._seen[0] != tower:
            self._seen = tower, loaded.features
        return replace(loaded, features=self._seen[1])

    def drop(self) -> None:
        """Have it loaded again when it is asked for: each process has but a part of its weights."""
        self._loaded = None

    def _note(self, loaded: LoadedModel) -> None:
        """Once is enough: hashing gigabytes takes its time."""
        if not self._noted and processes().is_main_process:
            identity = loaded.identity
            self._folder.note_model(str(identity["weights"]), str(identity["dtype"]).removeprefix("torch."))
            self._noted = True

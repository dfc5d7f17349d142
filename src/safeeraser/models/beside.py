"""Adapters beside a model, unmerged: the model before and after unlearning with one copy of the weights."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from peft import PeftModel

from safeeraser.errors import UserError, explained
from safeeraser.models.load import LoadedModel
from safeeraser.models.lora import quiet_peft
from safeeraser.models.merging import check_adapter, check_base, check_places


class Beside:
    """A model with named adapters beside it, of which one is on at a time; the model itself becomes part of it.

    Raises UserError for a folder without an adapter that can be used, and for one made for another model.
    """

    def __init__(self, loaded: LoadedModel, adapters: Mapping[str, Path]) -> None:
        self._model: Any = None
        self._numbers = {name: f"adapter{number}" for number, name in enumerate(adapters)}  # a dot may be in no name
        tensors = {name: check_adapter(path) for name, path in adapters.items()}
        for path in adapters.values():
            check_base(path, loaded.model, loaded.processor, loaded.name)
        for name, path in adapters.items():
            with quiet_peft(), warnings.catch_warnings(), explained(str(path)):
                warnings.filterwarnings("error", message="Found missing adapter keys", category=UserWarning)
                adapted = self._put_on(loaded, path, self._numbers[name])
            check_places(path, adapted, tensors[name], self._numbers[name])
        loaded.model.eval().requires_grad_(False)

    def _put_on(self, loaded: LoadedModel, path: Path, number: str) -> PeftModel:
        if self._model is None:
            self._model = PeftModel.from_pretrained(loaded.model, str(path), adapter_name=number)
        else:
            found = self._model.load_adapter(str(path), adapter_name=number)
            if found.missing_keys:  # of which PEFT warns only where the first is put on
                raise UserError(f"{len(found.missing_keys)} tensors are missing, such as {found.missing_keys[0]}")
        adapted: PeftModel = self._model
        return adapted

    @contextmanager
    def switched(self, name: str | None) -> Iterator[None]:
        """The model with this adapter; with none it is the model before."""
        if self._model is None:
            yield
        elif name is None:
            with self._model.disable_adapter():
                yield
        else:
            self._model.set_adapter(self._numbers[name])
            yield

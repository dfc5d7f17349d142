"""The folder of a training run: manifest.json, loss.jsonl, checkpoints/ while it runs, adapter/ once it is done."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from peft import PeftModel

from safeeraser.errors import UserError
from safeeraser.records import write_text


class Output:
    """One run's folder. `inputs` is all that the adapter depends on: a folder made from other inputs is not touched."""

    def __init__(self, folder: Path, inputs: dict[str, Any]) -> None:
        self.folder = folder
        self.adapter = folder / "adapter"
        self.checkpoints = folder / "checkpoints"
        self._loss = folder / "loss.jsonl"
        self._manifest = folder / "manifest.json"
        self._inputs = inputs

    def open(self) -> bool:
        """Claim the folder; True where the adapter is there already.

        Raises UserError naming the first setting that differs where the folder was made with others.
        """
        if not self._manifest.exists():
            if self.adapter.exists():
                raise UserError(f"{self.adapter}: an adapter of unknown settings is here; choose another folder")
            self.write_manifest()
            return False
        found = json.loads(self._manifest.read_text(encoding="utf-8"))["inputs"]
        difference = _first_difference(json.loads(json.dumps(self._inputs)), found)
        if difference is not None:
            name, ours, theirs = difference
            raise UserError(f"{self.folder}: made with {name} = {theirs!r}, not {ours!r}; choose another folder")
        return self.adapter.exists()

    def write_manifest(self, **results: Any) -> None:
        """Write the manifest: the inputs, and what is known of the run so far."""
        write_text(self._manifest, json.dumps({"inputs": self._inputs, **results}, indent=2) + "\n")

    def resume(self) -> tuple[str | None, int]:
        """The newest whole checkpoint and its step (None and 0: there is none); the loss log is cut back to it."""
        whole = self.checkpoints.glob("checkpoint-*/trainer_state.json")  # the file that transformers writes last
        step = max((int(path.parent.name.removeprefix("checkpoint-")) for path in whole), default=0)
        if self._loss.exists():
            lines = self._loss.read_text(encoding="utf-8").splitlines(keepends=True)
            kept = [line for line in lines if line.endswith("\n") and json.loads(line)["step"] <= step]
            write_text(self._loss, "".join(kept))
        return (str(self.checkpoints / f"checkpoint-{step}") if step else None), step

    def log(self, entry: dict[str, float]) -> None:
        """Append one whole line to the loss log."""
        with self._loss.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")

    def finish(self, model: PeftModel, base: str) -> None:
        """Put the adapter in its place, whole or not at all, and drop the checkpoints. `base` names its base model."""
        model.peft_config["default"].base_model_name_or_path = base
        with tempfile.TemporaryDirectory(dir=self.folder, prefix=".adapter.") as temporary:
            whole = Path(temporary) / "adapter"
            model.save_pretrained(str(whole), save_embedding_layers=False)
            whole.rename(self.adapter)
        shutil.rmtree(self.checkpoints, ignore_errors=True)


def _first_difference(ours: dict[str, Any], theirs: dict[str, Any]) -> tuple[str, Any, Any] | None:
    for name in [*ours, *theirs]:
        here, there = ours.get(name), theirs.get(name)
        if isinstance(here, dict) and isinstance(there, dict):
            inner = _first_difference(here, there)
            if inner is not None:
                return inner
        elif here != there:
            return name, here, there
    return None

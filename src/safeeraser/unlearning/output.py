"""The folder of a training run: manifest.json, loss.jsonl, checkpoints/ while it runs, adapter/ once it is done.

A method with neutral pictures keeps these and what was said about them in neutral/; a soup has its trainings, each a
folder like this one, in members/. Of several processes only the main one writes here.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safeeraser.errors import UserError, explained
from safeeraser.files import append_text, to_json, whole_folder, write_json, write_text
from safeeraser.models.adapters.card import write_card
from safeeraser.provenance import first_change

MANIFEST = "manifest.json"
_WHOLE = "whole.json"


class Output:
    """One run's folder. `inputs` is all that the adapter depends on: a folder made from other inputs is not touched."""

    def __init__(self, folder: Path, inputs: dict[str, Any]) -> None:
        self.folder = folder
        self.adapter = folder / "adapter"
        self.checkpoints = folder / "checkpoints"
        self.neutral = folder / "neutral"
        self.members = folder / "members"
        self._loss = folder / "loss.jsonl"
        self._manifest = folder / MANIFEST
        self._inputs = inputs

    def open(self) -> bool:
        """Claim the folder; True where the adapter is there already.

        Raises UserError naming the first setting that differs where the folder was made with others, and where it holds
        what no training has written: it would be removed.
        """
        if not self._manifest.exists():
            if self._begun() or self.neutral.exists():
                raise UserError(
                    f"{self.folder}: an adapter, trainings, checkpoints, neutral pictures or a loss log of unknown "
                    f"settings are here (there is no {self._manifest.name}); choose another folder"
                )
            self.write_manifest()
            return False
        with explained(f"{self._manifest}: not a training's manifest, remove the folder or choose another"):
            found = dict(json.loads(self._manifest.read_text(encoding="utf-8"))["inputs"])
        change = first_change(json.loads(json.dumps(self._inputs)), found)
        if not self._begun():
            if change and self.neutral.exists():  # killed before its first step: what it had drawn is not ours
                shutil.rmtree(self.neutral)
            self.write_manifest()
            return False
        if change:
            raise UserError(f"{self.folder}: {change}; choose another folder, or remove this one and train anew")
        if self.adapter.exists():
            self._drop_checkpoints()  # a run may have been stopped while it did so
        return self.adapter.exists()

    def write_manifest(self, **results: Any) -> None:
        """Write the manifest: the inputs, and what is known of the run so far."""
        write_json(self._manifest, {"inputs": self._inputs, **results})

    def mark_whole(self, step: int, processes: int) -> None:
        """Say that every process has written its part of a checkpoint; one without the mark does not count."""
        write_json(self.place(step) / _WHOLE, {"processes": processes})

    def resume(self) -> tuple[int, int]:
        """The step of the newest whole checkpoint and the processes that wrote it; 0 and 0 where there is none.

        What was written after it, or is not whole, is removed: other checkpoints, and lines of the loss log.
        """
        step = self.newest()
        for path in self.checkpoints.glob("checkpoint-*"):
            if not (path / _WHOLE).exists():
                shutil.rmtree(path)
        if self._loss.exists():
            lines = self._loss.read_text(encoding="utf-8").splitlines(keepends=True)
            with explained(self._loss):
                kept = [line for line in lines if line.endswith("\n") and json.loads(line)["step"] <= step]
            write_text(self._loss, "".join(kept))
        if not step:
            return 0, 0
        self._find_best(step)
        return step, json.loads((self.place(step) / _WHOLE).read_text(encoding="utf-8"))["processes"]

    def newest(self) -> int:
        """The step of the newest whole checkpoint, 0 where there is none."""
        whole = self.checkpoints.glob(f"checkpoint-*/{_WHOLE}")
        return max((int(path.parent.name.removeprefix("checkpoint-")) for path in whole), default=0)

    def checkpoint(self, step: int) -> str | None:
        """The checkpoint of a step as transformers wants it; None for step 0."""
        return str(self.place(step)) if step else None

    def logged(self) -> list[dict[str, float]]:
        """The entries of the loss log."""
        lines = self._loss.read_text(encoding="utf-8").splitlines() if self._loss.exists() else []
        with explained(self._loss):
            return [json.loads(line) for line in lines]

    def log(self, entry: dict[str, float]) -> None:
        """Append one whole line to the loss log."""
        append_text(self._loss, to_json(self._loss, entry))

    def finish(self, write: Callable[[Path], None], results: dict[str, Any]) -> None:
        """Put the adapter that `write` writes into a folder in its place, whole or not at all; drop the checkpoints.

        `results` go into the manifest.
        """
        for stale in self.folder.glob(".adapter.*"):  # of a run that was killed just here
            shutil.rmtree(stale)
        self.write_manifest(**results)
        with whole_folder(self.adapter) as scratch:
            write(scratch)
            write_card(scratch, self._inputs)
        self._drop_checkpoints()

    def _begun(self) -> bool:
        """Whether there is anything to lose: an adapter, a step in the loss log, a checkpoint, a soup's trainings."""
        logged = self._loss.exists() and self._loss.stat().st_size > 0
        begun = logged or self.adapter.exists() or any(self.checkpoints.glob("checkpoint-*"))
        return begun or self.members.exists()

    def _find_best(self, step: int) -> None:
        """Have the best checkpoint looked for beside this one: transformers notes its whole path.

        Where the folder was moved it would find none there, or that of another run, and keep the last adapter, or that.
        """
        place = self.place(step) / "trainer_state.json"
        with explained(place):
            state = json.loads(place.read_text(encoding="utf-8"))
        best = self.place(state.get("best_global_step") or 0)
        here = str(best.resolve())
        if best.exists() and state.get("best_model_checkpoint") != here:
            write_json(place, state | {"best_model_checkpoint": here})

    def place(self, step: int) -> Path:
        """Where the checkpoint of a step is, or would be."""
        return self.checkpoints / f"checkpoint-{step}"

    def _drop_checkpoints(self) -> None:
        """Checkpoints only: trackers may keep their files beside them."""
        for path in self.checkpoints.glob("checkpoint-*"):
            shutil.rmtree(path, ignore_errors=True)
        if self.checkpoints.exists() and not any(self.checkpoints.iterdir()):
            self.checkpoints.rmdir()

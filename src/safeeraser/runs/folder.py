"""What a run's folder holds, and who may write into it.

<run>/config.yaml  manifest.json  metrics.json  costs.json  report.md  report.json  plot.png
<run>/models/<method>/{adapter/, manifest.json, loss.jsonl}
<run>/generations/<method>.jsonl    <run>/verdicts/<method>.jsonl
<run>/judge-replies.jsonl, where a server judges
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from safeeraser import provenance
from safeeraser.benchmarks import SOURCES
from safeeraser.benchmarks.selection import Part
from safeeraser.benchmarks.settings import DataSettings
from safeeraser.errors import UserError
from safeeraser.files import remove_all_scratch, remove_scratch, write_json, write_text
from safeeraser.runs import ConfigError, RunSettings, first_difference, load


class _Noted(BaseModel):
    """What is read of a manifest, where it is there."""

    data: str | None = None
    data_from_run: str | None = None
    model_weights: str | None = None
    model_dtype: str | None = None
    parts: list[Part] = []
    adapters: dict[str, str | None] | None = None


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The places of a run's files."""

    root: Path

    @property
    def config(self) -> Path:
        """The settings it was made with."""
        return self.root / "config.yaml"

    @property
    def manifest(self) -> Path:
        """Where the results come from: settings, versions, hashes of data and model."""
        return self.root / "manifest.json"

    def model(self, method: str) -> Path:
        """The output folder of a method's training."""
        return self.root / "models" / method

    def adapter(self, method: str) -> Path:
        """A method's adapter; it is there when training has ended, and not before."""
        return self.model(method) / "adapter"

    def generations(self, method: str) -> Path:
        """A method's answers."""
        return self.root / "generations" / f"{method}.jsonl"

    def verdicts(self, method: str) -> Path:
        """The verdicts on a method's answers."""
        return self.root / "verdicts" / f"{method}.jsonl"

    @property
    def replies(self) -> Path:
        """What a judge's server replied, so that a report made again asks nothing twice."""
        return self.root / "judge-replies.jsonl"

    @property
    def costs(self) -> Path:
        """What its stages took (`costs`)."""
        return self.root / "costs.json"

    @property
    def metrics(self) -> Path:
        """All metrics of all models, as a JSON list."""
        return self.root / "metrics.json"

    def check(self, settings: RunSettings, *, free: Sequence[str] = ()) -> None:
        """Raise UserError where the folder is not a new one nor one of a run with these settings; for its owner.

        Settings named in `free` may differ, and so may the places of data and model: their content is compared.
        """
        remove_scratch(self.config)  # a kill may have come before the first file was whole
        if not self.config.exists():  # what else is there is somebody's own, whatever its name
            if self.root.exists() and (not self.root.is_dir() or any(self.root.iterdir())):
                raise UserError(f"{self.root}: not a run's folder (it has no config.yaml) and not empty; {ELSEWHERE}")
            return
        for folder in (self.root, *self.root.glob("models/*"), *self.root.glob("models/*/adapter")):
            remove_all_scratch(folder)
        ours, theirs = settings.results(), self.settings().results()
        theirs |= {key: ours[key] for key in free}
        theirs["data"] |= {"path": ours["data"]["path"]}
        if Path(settings.model).is_dir():
            theirs["model"] = ours["model"]
        difference = first_difference(ours, theirs)
        if difference is not None:
            key, ours, theirs = difference
            raise UserError(f"{self.config}: {key}: this run was made with {theirs!r}, not {ours!r}; {ELSEWHERE}")
        begun = self.settings().chosen
        if settings.chosen is not None and begun != settings.chosen:
            when = f"that of {begun.time}" if begun else "none"
            raise UserError(
                f"{self.config}: chosen: this run was begun with another choice ({when}) than that of "
                f"{settings.chosen.time}; {ELSEWHERE}"
            )

    def claim(self, settings: RunSettings, data_hash: str, **noted: Any) -> None:
        """Write settings and provenance, with what else is `noted`, or check them against those that are there.

        Raises UserError where the data has changed since the run was begun.
        """
        if not self.manifest.exists():
            self._write(settings, self._provenance(settings, data_hash) | noted)
        self.check_data(settings, data_hash)
        known = self.provenance()
        if known | noted != known:  # models that were added to an evaluation
            self._write(settings, known | noted | {"settings": settings.dump(), "settings_hash": settings.hash})

    def check_data(self, settings: RunSettings, data_hash: str) -> None:
        """Raise UserError where the folder was begun with data that have changed since."""
        found = self.provenance().get("data") if self.manifest.exists() else data_hash
        if found != data_hash:
            raise UserError(
                f"{self.manifest}: data: this run was made from other content of {settings.data.folder} "
                f"(hash {found}, now {data_hash}); {ELSEWHERE}"
            )

    def data(self, settings: DataSettings, given: Path | None = None) -> Path:
        """Where the run's data lie: `given`, or where they were from the current folder, the run or a folder above it.

        Raises UserError, which says where it looked, where they are in none of these. What may be a data set of the
        Hub stays as it is.
        """
        if given is not None:
            return given
        noted: str | None = self.provenance().get("data_from_run") if self.manifest.exists() else None
        places = [settings.folder, *([self.root / noted] if noted else [])]
        places += [above / settings.folder for above in self.root.resolve().parents]
        if found := next((place for place in places if place.is_dir()), None):
            return found
        local = SOURCES[settings.benchmark].embedded or settings.benchmark == "released"
        if not local and not settings.folder.is_absolute():
            return settings.folder
        looked = ", ".join(str(place) for place in dict.fromkeys(places))
        raise UserError(f"{self.root}: the data of this run are not there (looked for {looked}); name them with --data")

    def taught(self) -> tuple[str, ...]:
        """The refusals that the models of an evaluation were taught, where these are not its own benchmark's."""
        return tuple(self.provenance().get("taught", ())) if self.manifest.exists() else ()

    def parts(self) -> tuple[Part, ...]:
        """What the run measures: all parts, or those that an evaluation was asked for."""
        return tuple(Part(each) for each in self.provenance().get("parts", Part))

    def settings(self) -> RunSettings:
        """The settings the run was made with. Raises UserError where there is no config.yaml, or not such a file."""
        if not self.config.is_file():
            raise UserError(f"{self.root}: not a run's folder (it has no {self.config.name})")
        try:
            return load(self.config)
        except ConfigError as error:
            raise UserError(f"{error}; {ELSEWHERE}") from error

    def provenance(self) -> dict[str, Any]:
        """What the manifest says. Raises UserError where it is not such a file."""
        try:
            found = json.loads(self.manifest.read_text(encoding="utf-8"))
        except ValueError as error:
            raise UserError(f"{self.manifest}: cannot be read ({error}); {ELSEWHERE}") from error
        if not isinstance(found, dict):
            raise UserError(f"{self.manifest}: not a run's manifest; {ELSEWHERE}")
        try:
            _Noted.model_validate(found)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            key, message = ".".join(map(str, first["loc"])), first["msg"].removeprefix("Input ")
            raise UserError(f"{self.manifest}: {key}: {message}, found {first['input']!r}; {ELSEWHERE}") from error
        return found

    @property
    def model_dtype(self) -> str:
        """The precision in which the model was loaded first, on whatever machine; "auto" where it was not yet."""
        return str(self.provenance().get("model_dtype", "auto")) if self.manifest.exists() else "auto"

    def note_model(self, fingerprint: str, dtype: str | None = None) -> None:
        """Put what model is used into the manifest, and the precision once it is loaded.

        Raises UserError where the run was begun with another model.
        """
        manifest = self.provenance()
        found = manifest.setdefault("model_weights", fingerprint)
        if found != fingerprint:
            raise UserError(
                f"{self.manifest}: model_weights: this run was made with {found}, not {fingerprint} (the model's files "
                f"have changed); {ELSEWHERE}"
            )
        if dtype is not None:
            manifest.setdefault("model_dtype", dtype)
        write_json(self.manifest, manifest)

    def _write(self, settings: RunSettings, manifest: dict[str, Any]) -> None:
        write_text(self.config, yaml.safe_dump(settings.dump(), sort_keys=False))
        write_json(self.manifest, manifest)

    def _provenance(self, settings: RunSettings, data_hash: str) -> dict[str, Any]:
        return {
            "settings": settings.dump(),
            "settings_hash": settings.hash,
            "data": data_hash,
            "data_from_run": os.path.relpath(settings.data.folder.resolve(), self.root.resolve()),
            **provenance.made_with(),
        }


ELSEWHERE = "nothing was changed. Choose another folder (output=...) or remove this one"

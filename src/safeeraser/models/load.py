"""A multimodal model, its processor and its name, from a folder, a hub id or the word `tiny`."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import torch
from huggingface_hub import hf_hub_url, try_to_load_from_cache
from transformers import (
    AutoConfig,
    AutoModelForImageTextToText,
    AutoProcessor,
    GenerationConfig,
    PreTrainedConfig,
    PreTrainedModel,
    ProcessorMixin,
)
from transformers.utils import logging as hf_logging

from safeeraser import provenance
from safeeraser.errors import UserError, explained, unknown
from safeeraser.files import check_fetched
from safeeraser.models.features import Features
from safeeraser.models.merging import HUB_ID, check_adapter, check_changed, merged, probe
from safeeraser.models.processes import processes
from safeeraser.models.quantised import NF4, is_quantised, nf4
from safeeraser.models.template import check_template

_PATIENCE = 10  # seconds that the hub has to answer whether it is there
DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A plain transformers model (an adapter, where one was given, is merged into it) with its processor.

    `name` is what the caller asked for; `adapter` and `revision` say the rest of where the weights come from.
    `features` are those of the pictures that its vision tower has seen.
    """

    model: PreTrainedModel
    processor: ProcessorMixin
    name: str
    adapter: Path | None = None
    revision: str | None = None
    features: Features = field(default_factory=Features, repr=False, compare=False)

    def afresh(self) -> LoadedModel:
        """The same model, which has seen no picture yet."""
        return replace(self, features=Features())

    @property
    def identity(self) -> dict[str, str | None]:
        """Which weights these are, in plain values: folders count by what is in them, not by where they are."""
        adapter = None if self.adapter is None else provenance.content_hash(self.adapter)[:16]
        commit = getattr(self.model.config, "_commit_hash", None) or "unknown"
        weights = provenance.folder_weights(self.model.name_or_path or self.name) or f"commit {commit}"
        dtype = NF4 if is_quantised(self.model) else str(self.model.dtype)
        return {
            "model": self.name,
            "revision": self.revision,
            "weights": weights,
            "adapter": adapter,
            "dtype": dtype,
        }


def weights_of(kind: Any, place: str, **options: Any) -> Any:
    """A model of this kind with all of its weights; no code of the model's folder is run, and nobody is asked to.

    Raises UserError where weights are missing, in whose place transformers would put random ones.
    """
    model, found = kind.from_pretrained(place, trust_remote_code=False, output_loading_info=True, **options)
    if missing := sorted(found["missing_keys"]):
        raise UserError(f"{len(missing)} tensors are missing in its weights, such as {missing[0]}")
    return model


def load_processor(name_or_path: str) -> tuple[ProcessorMixin, PreTrainedConfig, GenerationConfig]:
    """What makes a model's inputs, without its weights: the processor, and the configurations of model and generation.

    Raises UserError as `load` does.
    """
    found = source(name_or_path)
    with refused(name_or_path):
        processor = AutoProcessor.from_pretrained(found, trust_remote_code=False)
        config = AutoConfig.from_pretrained(found, trust_remote_code=False)
        check_template(processor)
        try:
            generation = GenerationConfig.from_pretrained(found)
        except OSError:  # no file of that name, as in older models
            generation = GenerationConfig.from_model_config(config)
        return processor, config, generation


def load(
    name_or_path: str,
    *,
    adapter: Path | None = None,
    dtype: torch.dtype | str = "auto",
    device: str = "auto",
    revision: str | None = None,
) -> LoadedModel:
    """Load a model for generation or training; `tiny` is the embedded model.

    `dtype` "auto" is bfloat16 where the device computes in it natively and float32 elsewhere; `device` "auto" is this
    process's GPU, else the CPU. `adapter` is a folder written by PEFT; it is merged, so that generating costs nothing
    more. `dtype` "nf4" keeps the language model in four bits (see `quantised`); an adapter is then put on it unmerged,
    because merging would round it.

    Raises UserError for a model that cannot be loaded, for a chat template without end, for an unknown dtype or device,
    for nf4 where it cannot be, for a folder without an adapter, and for an adapter that does not fit the model or
    changes none of its logits.
    """
    if adapter is not None:
        check_adapter(adapter)  # before minutes are spent on the model
    target = _device(device)
    precision = _dtype(dtype, target)
    options = {"quantization_config": nf4(target), "device_map": {"": target}} if dtype == NF4 else {}
    found = source(name_or_path, revision)
    with _quiet(), refused(name_or_path):
        processor = AutoProcessor.from_pretrained(found, revision=revision, trust_remote_code=False)
        check_template(processor)
        model = weights_of(AutoModelForImageTextToText, found, dtype=precision, revision=revision, **options)
        if dtype != NF4:  # those are there already
            model.to(target)  # for which a GPU may have no room
    if adapter is not None:
        model = _with_adapter(model, processor, adapter, name_or_path)
    model.eval().requires_grad_(False)
    return LoadedModel(model, processor, name_or_path, adapter, revision)


def native_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 runs in hardware here; where it is emulated, float32 is both quicker and more exact."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities = torch.cpu.get_capabilities()
    return device.type == "cpu" and bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))


@contextmanager
def _quiet() -> Iterator[None]:
    """No bar for reading weights: it would stand between the bars that tell how long a run takes."""
    shown = hf_logging.is_progress_bar_enabled()
    hf_logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            hf_logging.enable_progress_bar()


@contextmanager
def refused(name: str) -> Iterator[None]:
    """What transformers raises where there is no model it can load, or a damaged one, in one line that names it."""
    try:
        with explained(f"model {name}"):
            yield
    except UserError as error:
        if "torchvision" in str(error):
            raise UserError(f"model {name}: needs torchvision: pip install 'safeeraser[vision]'") from error
        raise


def source(name_or_path: str, revision: str | None = None) -> str:
    """Where transformers finds a model: a folder, which must be there, or an id of the hub, OWNER/NAME.

    Raises UserError at once for a name that is neither, and for a model that is not on this disk while the hub cannot
    be reached.
    """
    path = Path(name_or_path)
    pretrained = (path / "projector.safetensors").is_file()  # other weights of `tiny`, as `pretrain` writes them
    if name_or_path == "tiny" or pretrained:
        from safeeraser.models import tiny  # noqa: PLC0415  building the embedded model needs more libraries

        return str(tiny.path(trained=path) if pretrained else tiny.path())
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise UserError(f"model {name_or_path}: no model in this folder (config.json is missing)")
        for file in sorted(path.iterdir()):
            check_fetched(file)
        return name_or_path
    if path.exists() or not HUB_ID.fullmatch(name_or_path) or path.parent.is_dir():
        siblings = sorted(each.name for each in path.parent.iterdir()) if path.parent.is_dir() else []
        near = difflib.get_close_matches(path.name, siblings, n=1)
        hint = f"; did you mean {path.parent / near[0]}?" if near else ""
        raise UserError(
            f"model {name_or_path}: no such folder{hint} (a model is tiny, a folder, or OWNER/NAME of the hub)"
        )
    if not isinstance(try_to_load_from_cache(name_or_path, "config.json", revision=revision), str):
        _check_hub(name_or_path)
    return name_or_path


def _check_hub(name: str) -> None:
    """One question with a deadline, for transformers asks again and again for a minute."""
    try:
        urlopen(Request(hf_hub_url(name, "config.json"), method="HEAD"), timeout=_PATIENCE).close()
    except HTTPError:  # it answers, and transformers says what it thinks of the name
        return
    except OSError as error:
        raise UserError(f"model {name}: not on this disk, and the hub cannot be reached ({error})") from error


def _device(device: str) -> torch.device:
    if device == "auto":
        own: torch.device = processes().device
        return own
    try:
        return torch.device(device)
    except RuntimeError as error:
        raise UserError(f"unknown device {device!r}; use auto, cpu, cuda or cuda:N") from error


def _dtype(dtype: torch.dtype | str, device: torch.device) -> torch.dtype:
    if isinstance(dtype, torch.dtype):
        return dtype
    if dtype in ("auto", NF4):
        return torch.bfloat16 if native_bfloat16(device) else torch.float32
    if dtype not in DTYPES:
        raise UserError(unknown("dtype", dtype, ["auto", *DTYPES, NF4]))
    return DTYPES[dtype]


def _with_adapter(model: PreTrainedModel, processor: ProcessorMixin, adapter: Path, name: str) -> PreTrainedModel:
    if not is_quantised(model):
        return merged(model, processor, adapter, name)
    before = probe(model, processor, pictured=False)
    found: Any = model.load_adapter(str(adapter))
    strange = {*found.missing_keys, *(found.unexpected_keys - model.state_dict().keys())}
    if strange:
        raise UserError(f"{adapter}: {len(strange)} tensors are missing or have no place, such as {min(strange)}")
    check_changed(adapter, before, probe(model, processor, pictured=False))
    return model

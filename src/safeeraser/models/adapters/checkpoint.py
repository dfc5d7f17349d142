"""Import the authors' checkpoint.pt (arXiv 2502.12520): a flat state dict of LoRA and projector, as a PEFT adapter."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from pickle import UnpicklingError

import torch
from peft import PeftModel
from torch import Tensor, nn
from transformers import PreTrainedModel

from safeeraser import provenance
from safeeraser.errors import UserError, explained
from safeeraser.files import check_fetched, require_new, whole_folder
from safeeraser.models.adapters.card import write_card
from safeeraser.models.load import LoadedModel
from safeeraser.models.lora import detach, projector_name, save, wrap
from safeeraser.models.merging import check_changed, known_by, note_base, probe
from safeeraser.models.numbers import check_weights

_WRAPPERS = re.compile(r"^(?:(?:base_model\.model|module|model)\.)+")
_LORA = re.compile(r"^(?P<module>.+)\.lora_(?P<side>[AB])(?:\.default)?\.weight$")
_SHOWN = 3


def import_checkpoint(path: Path, loaded: LoadedModel, output: Path, *, alpha: float, rank: int | None = None) -> Path:
    """Write a checkpoint as a PEFT adapter with its card to the new folder `output`, and return it.

    The file is read with `weights_only=True`, so it can hold nothing but tensors. Every tensor must have its place in
    the model, and every place must be filled: LoRA in the same linear layers of every layer of the language model, and
    the projector whole or not at all. `alpha` is not in the file and has to be known (256 in the authors' training,
    with rank 32); `rank` is, and is checked if given. `loaded.model` is as before afterwards.

    Raises UserError for all of that, and where the adapter changes no logits.
    """
    require_new(output)
    weights = _placed(path, _read(path), loaded.model)
    found = _rank(path, weights, rank)
    before = probe(loaded.model, loaded.processor, pictured=True)
    adapted = _adapter(loaded.model, weights, found, alpha)
    try:
        check_changed(path, before, probe(adapted, loaded.processor, pictured=True))
        check_weights(path, weights)
        _write(
            adapted, loaded, output, {"checkpoint": provenance.file_hash(path), "lora_r": found, "lora_alpha": alpha}
        )
    finally:
        detach(adapted)
        loaded.model.requires_grad_(False)
    return output


def _read(path: Path) -> dict[str, Tensor]:
    check_fetched(path)
    try:
        with explained(f"{path}: not a file of tensors"):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except UserError as error:
        if isinstance(error.__cause__, UnpicklingError):  # torch would have it read all the same
            raise UserError(f"{path}: not a file of tensors alone; what else a file may hold is not read") from None
        raise
    if not isinstance(content, dict) or not content:
        raise UserError(f"{path}: a dictionary of tensors is expected, this is {type(content).__name__}")
    for name, value in content.items():
        if not (isinstance(name, str) and isinstance(value, Tensor)):
            raise UserError(f"{path}: {name!r} is {type(value).__name__}, not a tensor with a name")
    return content


def _placed(path: Path, content: Mapping[str, Tensor], model: PreTrainedModel) -> dict[str, Tensor]:
    """Tensors by the name that they have in the model: `MODULE.lora_A`, `MODULE.lora_B`, or a projector's weight.

    Raises UserError where a tensor has no place or the wrong shape, where two have the same, and where one is missing.
    """
    short = {_short(name): name for name, _ in _linears(model)}
    shapes = dict(_projector_shapes(model, projector_name(model)))
    placed: dict[str, Tensor] = {}
    strangers = []
    for name, value in content.items():
        place = _place(name, short, shapes)
        if place is None:
            strangers.append(name)
        elif place in placed:
            raise UserError(f"{path}: two tensors for {place}, the second is {name}")
        else:
            placed[place] = value
    expected = _expected(placed, model, shapes)
    missing = [place for place in expected if place not in placed]
    problems = _problem("have no place in the model", strangers, expected) + _problem("are missing", missing, strangers)
    wrong = [place for place, shape in expected.items() if place in placed and not _fits(placed[place], shape)]
    problems += [f"{place} is {list(placed[place].shape)}, not {_named(expected[place])}" for place in wrong[:_SHOWN]]
    if problems:
        raise UserError("\n".join(f"{path}: {problem}" for problem in problems))
    return placed


def _linears(model: PreTrainedModel) -> Iterator[tuple[str, nn.Linear]]:
    """The language model's linear layers, by their names in the whole model."""
    decoder = model.get_decoder()
    prefix = next(name for name, module in model.named_modules() if module is decoder)
    for name, module in decoder.named_modules(prefix=prefix):
        if isinstance(module, nn.Linear):
            yield name, module


def _short(name: str) -> str:
    """A module's name without what wraps it and without the nesting that differs between versions of transformers.

    >>> _short("base_model.model.language_model.model.layers.0.mlp") == _short("model.language_model.layers.0.mlp")
    True
    """
    return _WRAPPERS.sub("", name).replace("language_model.model.", "language_model.")


def _place(name: str, short: Mapping[str, str], projector: Mapping[str, torch.Size]) -> str | None:
    """Where a tensor of the checkpoint belongs; None where nowhere."""
    lora = _LORA.match(name)
    if lora:
        module = short.get(_short(lora["module"]))
        return module and f"{module}.lora_{lora['side']}"
    plain = _short(name.replace("modules_to_save.default.", ""))
    return next((full for full in projector if _short(full) == plain), None)


def _projector_shapes(model: nn.Module, projector: str | None) -> Iterable[tuple[str, torch.Size]]:
    if projector is not None:
        for name, value in model.get_submodule(projector).named_parameters():
            yield f"{projector}.{name}", value.shape


def _expected(
    placed: Iterable[str], model: PreTrainedModel, projector: Mapping[str, torch.Size]
) -> dict[str, tuple[int | None, ...]]:
    """Every place that has to be filled, and its shape (None: the rank).

    Where one linear layer of the language model has LoRA, its namesakes in all layers have; a projector is whole.
    """
    names = list(placed)
    leaves = {name.split(".")[-2] for name in names if name.rpartition(".")[2] in ("lora_A", "lora_B")}
    expected: dict[str, tuple[int | None, ...]] = {}
    for name, module in _linears(model):
        if name.rpartition(".")[2] in leaves:
            expected |= {f"{name}.lora_A": (None, module.in_features), f"{name}.lora_B": (module.out_features, None)}
    if any(name in projector for name in names):
        expected |= {name: tuple(shape) for name, shape in projector.items()}
    return expected


def _fits(value: Tensor, shape: tuple[int | None, ...]) -> bool:
    return value.dim() == len(shape) and all(
        want in (None, have) for have, want in zip(value.shape, shape, strict=True)
    )


def _named(shape: tuple[int | None, ...]) -> str:
    return f"[{', '.join('rank' if size is None else str(size) for size in shape)}]"


def _problem(what: str, names: list[str], others: Iterable[str]) -> list[str]:
    """One line for all names with the same problem: the first few, and the nearest of the other names."""
    if not names:
        return []
    near = difflib.get_close_matches(names[0], list(others), n=1, cutoff=0.6)
    hint = f"; the nearest to the first is {near[0]}" if near else ""
    rest = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return [f"{len(names)} tensors {what}: {', '.join(names[:_SHOWN])}{rest}{hint}"]


def _rank(path: Path, weights: Mapping[str, Tensor], given: int | None) -> int:
    ranks = {value.shape[0] for name, value in weights.items() if name.endswith(".lora_A")}
    ranks |= {value.shape[1] for name, value in weights.items() if name.endswith(".lora_B")}
    if len(ranks) != 1:
        raise UserError(f"{path}: one LoRA rank is expected, found {sorted(ranks) or 'no LoRA'}")
    (rank,) = ranks
    if given not in (None, rank):
        raise UserError(f"{path}: the LoRA rank is {rank}, not {given}")
    return rank


def _adapter(model: PreTrainedModel, weights: Mapping[str, Tensor], rank: int, alpha: float) -> PeftModel:
    """The model with an adapter of these weights on it, in place."""
    projector = projector_name(model)
    targets = [name.removesuffix(".lora_A") for name in weights if name.endswith(".lora_A")]
    has_whole = any(not name.endswith((".lora_A", ".lora_B")) for name in weights)
    adapted = wrap(model, targets, projector if has_whole else None, rank, alpha)
    state = dict(adapted.get_base_model().named_parameters())
    for name, value in weights.items():
        state[_in_peft(name, projector)].data = value.to(model.device, torch.float32)
    return adapted.eval()


def _in_peft(name: str, projector: str | None) -> str:
    if name.endswith((".lora_A", ".lora_B")):
        return f"{name}.default.weight"
    return name.replace(f"{projector}.", f"{projector}.modules_to_save.default.", 1)


def _write(adapted: PeftModel, loaded: LoadedModel, output: Path, facts: dict[str, object]) -> None:
    with whole_folder(output) as scratch:
        save(adapted, scratch, loaded.name)
        with adapted.disable_adapter():
            note_base(scratch, known_by(loaded.model, loaded.processor))
        write_card(scratch, {"model": loaded.name, "revision": loaded.revision, **facts})

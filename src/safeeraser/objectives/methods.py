"""The table of methods: which losses on which streams, with visible weights.

A method of one's own is a file with its loss and a line in `_CLEAN`, which makes two: the method, and the method with
`+pd`. Each of them exists with what else can be added to a method (`ADDITIONS`). Another package adds one by an entry
point of the group `safeeraser.objectives` (docs/plugins.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import reduce
from itertools import product
from typing import get_args

from safeeraser.errors import UserError, unknown
from safeeraser.objectives.ceu import ceu
from safeeraser.objectives.decide import decide
from safeeraser.objectives.dpo import dpo
from safeeraser.objectives.ga import ga
from safeeraser.objectives.kl import anchor, kl
from safeeraser.objectives.mdpo import mdpo
from safeeraser.objectives.method import Bound, Method, Target, Term
from safeeraser.objectives.nll import nll, plain_nll
from safeeraser.objectives.npo import npo
from safeeraser.objectives.pdu import pdu
from safeeraser.objectives.rmu import rmu, rmu_retain
from safeeraser.objectives.satimp import satimp
from safeeraser.objectives.simnpo import simnpo
from safeeraser.objectives.undial import undial
from safeeraser.objectives.wga import wga
from safeeraser.registry import Table
from safeeraser.settings import Preset

_FORGET, _REFUSAL, _RETAIN, _DECOUPLED, _OVERREFUSAL, _RECOVERY = ((target,) for target in Target)

_ASCEND = Term("forget", ga, _FORGET)
_REFUSE = Term("refusal", nll, _REFUSAL)
_REFUSE_AND_KEEP = Term("refusal+retain", nll, _REFUSAL + _RETAIN)
_KEEP = Term("retain", plain_nll, _RETAIN)
_KEEP_NEAR = Term("retain", kl, _RETAIN)
_DECOUPLE = Term("decoupled", nll, _DECOUPLED)

_CLEAN: dict[str, tuple[Term, ...]] = {
    "ga": (_ASCEND,),
    "gd": (_ASCEND, _KEEP),
    "kl": (_ASCEND, _KEEP_NEAR),
    "po": (_REFUSE, _KEEP),
    "dpo": (Term("preference", dpo, _REFUSAL + _FORGET), _KEEP),
    "npo": (Term("forget", npo, _FORGET), _KEEP),
    "simnpo": (Term("forget", simnpo, _FORGET, 0.125), _KEEP),
    "rmu": (Term("forget", rmu, _FORGET), Term("retain", rmu_retain, _RETAIN)),
    "undial": (Term("forget", undial, _FORGET), _KEEP),
    "wga": (Term("forget", wga, _FORGET), _KEEP),
    "satimp": (Term("forget", satimp, _FORGET, 0.1), _KEEP),
    "ceu": (Term("forget", ceu, _FORGET), _KEEP),
    "pdu": (Term("forget", pdu, _FORGET), replace(_KEEP, bound=Bound())),
    "mdpo": (
        Term("preference", dpo, _REFUSAL + _FORGET),
        Term("conditional", mdpo, _REFUSAL + _OVERREFUSAL),
        _KEEP,
    ),
    "decide": (
        Term("decision", decide, _REFUSAL, 4.0),
        replace(_REFUSE, weight=4.0),
        Term("recovery", plain_nll, _RECOVERY, 2.0),
        _KEEP,
    ),
}
_BESIDE_PD = {"decide": (Term("decoupled_decision", decide, _DECOUPLED, 4.0),)}
"""What +pd adds beside its term: a method that decides about one side decides about the other too."""

_PAPER: dict[str, tuple[Term, ...]] = {
    "ga": (_ASCEND,),
    "ga+pd": (_ASCEND, replace(_DECOUPLE, weight=0.5)),
    "gd": (_ASCEND, _KEEP),
    "gd+pd": (_ASCEND, replace(_KEEP, weight=0.5), replace(_DECOUPLE, weight=0.5)),
    "kl": (_ASCEND, _KEEP_NEAR),
    "kl+pd": (_ASCEND, _KEEP_NEAR, _DECOUPLE),
    "po": (_REFUSE_AND_KEEP,),
    "po+pd": (_REFUSE_AND_KEEP, _DECOUPLE),
}


def _table() -> dict[str, dict[Preset, Method]]:
    table: dict[str, dict[Preset, Method]] = {}
    for base, terms in _CLEAN.items():
        for name, found in ((base, terms), (f"{base}+pd", (*terms, *_BESIDE_PD.get(base, ()), _DECOUPLE))):
            table[name] = {"clean": Method(name, found)}
            if name in _PAPER:
                table[name]["paper"] = Method(name, _PAPER[name])
    return table


METHODS = _table()
"""Method name -> preset -> method. In `clean`, +pd adds one term of weight 1, with what stands in `_BESIDE_PD`, and a
method of another paper has that paper's forget term and weight beside the plain retain term. `paper` has the weights
and the averaging of the SafeEraser authors' code (arXiv 2502.12520); it exists for the methods that are in it."""


def _are_terms(found: object) -> bool:
    return isinstance(found, tuple) and bool(found) and all(isinstance(each, Term) for each in found)


@dataclass(frozen=True, slots=True)
class Addition:
    """What can be added to a method, by the end of its name; `lacks` says why it cannot be to one."""

    about: str
    to: Callable[[Method], Method]
    lacks: Callable[[Method], str | None]


def _without(target: Target, what: str) -> Callable[[Method], str | None]:
    return lambda method: None if target in method.targets else what


ADDITIONS = {
    "+kl": Addition(
        "also anchor(decoupled): stay near the model before unlearning where the picture is harmless",
        lambda method: replace(method, terms=(*method.terms, Term("anchor", anchor, _DECOUPLED))),
        _without(Target.DECOUPLED, "has no decoupled rows to stay near the model before unlearning on: add +pd first"),
    ),
    "+neutral": Addition(
        "half of the safe pictures are cut up or drawn, answered as before unlearning; a refusal needs a harmful one",
        lambda method: replace(method, neutral=0.5, forms=0.0),
        _without(Target.DECOUPLED, "has no decoupled rows whose pictures could be neutral: add +pd first"),
    ),
    "+rec": Addition(
        "half of the rows have begun their answer; refusals follow all the same",
        lambda method: replace(method, recovery=0.5),
        _without(Target.REFUSAL, "trains no refusal that could be given after an answer has begun"),
    ),
    "+sam": Addition(
        "the terms on harmful questions also hold around the weights, so that a few steps undo less",
        lambda method: replace(method, rho=0.01),
        lambda method: None if any(term.harmful for term in method.terms) else "has no term on harmful questions",
    ),
    "+swa": Addition(
        "the mean of the weights over the last three quarters of the steps; wants a learning rate that stays",
        lambda method: replace(method, swa=0.75),
        lambda _: None,
    ),
    "+soup": Addition(
        "the mean of three adapters, each trained with a seed of its own: three times the time",
        lambda method: replace(method, soup=3),
        lambda _: None,
    ),
}
"""By the end of a method's name, in the order in which they stand there: a divergence from the model before unlearning
on decoupled rows, neutral pictures, recovery (arXiv 2406.05946), sharpness-aware forgetting (arXiv 2502.05374), the
mean over a training's last steps (arXiv 1803.05407), and that of several trainings (arXiv 2203.05482)."""

_BASES = Table("method", "safeeraser.objectives", _CLEAN, _are_terms)


def names() -> tuple[str, ...]:
    """Every method: those of METHODS and those that other packages add, with everything that can be added to each."""
    return tuple(name for plain in plain_names() for name in _with_additions(plain))


def plain_names() -> tuple[str, ...]:
    """Every method to which nothing but Prompt Decouple is added."""
    return (*METHODS, *(f"{base}{pd}" for base in _BASES.added for pd in ("", "+pd")))


def _with_additions(plain: str) -> Iterator[str]:
    method = find(plain)
    for ends in product(*(("", end) for end in ADDITIONS)):
        if not any(ADDITIONS[end].lacks(method) for end in ends if end):
            yield plain + "".join(ends)


NOTATION = (
    "p_t, ref_t: the probability of the answer's token t, and that before unlearning; z, z_ref: logits; "
    "y_t: the token itself; mean, sum: over the answer's tokens, then a mean over rows"
)
"""What the formulas of losses mean."""


def find(name: str, preset: Preset = "clean") -> Method:
    """A method of the table. Raises UserError with near matches for a name or preset that is not in it."""
    found = presets(name)
    if preset not in get_args(Preset):
        raise UserError(unknown("preset", preset, get_args(Preset)))
    if preset not in found:
        raise UserError(
            f"{name} has no preset 'paper', which is for methods of the SafeEraser paper: {', '.join(_PAPER)}"
        )
    return found[preset]


def presets(name: str) -> dict[Preset, Method]:
    """A method in every preset that it has. Raises UserError with near matches for an unknown name."""
    if name in METHODS:
        return METHODS[name]
    plain, ends = _split(name)
    if plain and ends and not _split(plain)[1]:  # in this order and no other, so that a method has one name
        return {"clean": reduce(_add, ends, find(plain))}
    base = name.removesuffix("+pd")
    if base not in _BASES:
        raise UserError(unknown("method", name, names()))
    return {"clean": Method(name, _BASES[base] if name == base else (*_BASES[base], _DECOUPLE))}


def _split(name: str) -> tuple[str, list[str]]:
    """The name of the method to which something is added, and what, in order."""
    ends: list[str] = []
    for end in reversed(ADDITIONS):
        if name.endswith(end):
            name, ends = name.removesuffix(end), [end, *ends]
    return name, ends


def _add(method: Method, end: str) -> Method:
    if reason := ADDITIONS[end].lacks(method):
        raise UserError(f"{method.name}{end}: {method.name} {reason}")
    return replace(ADDITIONS[end].to(method), name=f"{method.name}{end}")

"""Pure tensor losses, and the table that composes them into methods."""

from safeeraser.objectives.loss import Loss, Need, about, loss
from safeeraser.objectives.method import Bound, Method, Options, Target, Term
from safeeraser.objectives.methods import ADDITIONS, METHODS, NOTATION, find, names, plain_names, presets
from safeeraser.objectives.nll import nll
from safeeraser.objectives.stream import StreamOutput

__all__ = [
    "ADDITIONS",
    "METHODS",
    "NOTATION",
    "Bound",
    "Loss",
    "Method",
    "Need",
    "Options",
    "StreamOutput",
    "Target",
    "Term",
    "about",
    "find",
    "loss",
    "names",
    "nll",
    "plain_names",
    "presets",
]

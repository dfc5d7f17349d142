"""Pure tensor losses, and the table that composes them into methods."""

from safeeraser.objectives.methods import METHODS, Method, Preset, Target, Term, find
from safeeraser.objectives.nll import nll
from safeeraser.objectives.stream import StreamOutput

__all__ = ["METHODS", "Method", "Preset", "StreamOutput", "Target", "Term", "find", "nll"]

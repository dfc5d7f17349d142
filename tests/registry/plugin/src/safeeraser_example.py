"""A plug-in: what another package adds to safeeraser."""

from __future__ import annotations

from torch import Tensor

from safeeraser.objectives import StreamOutput, Target, Term, loss
from safeeraser.objectives.stream import answer_mean


@loss(source="an example", formula="mean(p_t)")
def surprise(stream: StreamOutput) -> Tensor:
    """Make the answer's tokens improbable, as far as they are probable.

    Bounded below by 0, a value for each row, without unit.
    """
    return answer_mean(stream.logprobs.exp(), stream.mask)


SURPRISE = (Term("forget", surprise, (Target.FORGET,)),)
ODD = "neither terms nor anything else"

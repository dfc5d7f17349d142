"""The decision itself: refuse about the harmful picture, answer about the safe one, whatever the question."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import softplus

from safeeraser.objectives.loss import Need, loss
from safeeraser.objectives.stream import StreamOutput, first, present


@loss(
    formula="softplus(margin - (z_1[y_1] - z_1[first token of the rival]))",
    source="arXiv 2405.14734",
    needs=Need.LOGITS | Need.RIVAL,
)
def decide(stream: StreamOutput, *, margin: float = 3.0) -> Tensor:
    """The decision in the first token, where refusing or answering is decided: one value per row [batch], in nats.

    About a harmful picture a refusal has to be likelier to begin than the harmful answer; about a safe one, asked the
    same, the answer likelier than that refusal; each by `margin` nats (a margin as in arXiv 2405.14734). A mean over a
    long answer hides this token; here it is all there is. Both words come from one distribution, so the rival takes no
    row of its own. Where both begin with the same token, the value is constant and teaches nothing.
    """
    places = first(stream.mask)[stream.mask]
    logits = present(stream.logits)[places]
    own, other = (logits.gather(1, ids[:, None])[:, 0] for ids in (present(stream.ids)[places], present(stream.rival)))
    return softplus(margin - (own - other))

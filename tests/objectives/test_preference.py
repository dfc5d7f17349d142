"""dpo, mdpo, npo, simnpo and decide against values worked out by hand, and what they tend to."""

from __future__ import annotations

from dataclasses import replace
from math import exp, log

import pytest
import torch
from torch import Tensor

from safeeraser.objectives import StreamOutput
from safeeraser.objectives.decide import decide
from safeeraser.objectives.dpo import dpo
from safeeraser.objectives.ga import ga
from safeeraser.objectives.mdpo import mdpo
from safeeraser.objectives.npo import npo
from safeeraser.objectives.simnpo import simnpo
from tests.objectives.streams import drawn, likely, stream


def changed(now: list[float], before: list[float]) -> StreamOutput:
    return replace(likely(now), reference=likely(before))


def softplus(value: float) -> float:
    return log(1 + exp(value))


def gradient(given: StreamOutput, value: Tensor) -> Tensor:
    (found,) = torch.autograd.grad(value.sum(), given.logprobs)
    return found


def free(given: StreamOutput) -> StreamOutput:
    return replace(given, logprobs=given.logprobs.detach().requires_grad_(True))


def test_npo_by_hand() -> None:
    less_likely = changed([0.25, 0.5], [0.5, 0.5])  # R = ln(1/2)
    assert npo(less_likely).item() == pytest.approx(20 * softplus(0.1 * log(1 / 2)))
    assert npo(less_likely, beta=1.0).item() == pytest.approx(2 * log(1 + 1 / 2))


def test_dpo_by_hand() -> None:
    refusal, forget = changed([0.8, 1.0], [0.2, 1.0]), changed([0.25, 0.5], [0.5, 0.5])  # R = ln 4 and ln(1/2)
    assert dpo(refusal, forget, beta=1.0).item() == pytest.approx(2 * log(1 + 1 / 8))
    assert dpo(refusal, forget).item() == pytest.approx(20 * softplus(-0.1 * log(8)))


def test_mdpo_by_hand() -> None:
    refusal, overrefusal = changed([0.8, 1.0], [0.2, 1.0]), changed([0.25, 0.5], [0.5, 0.5])  # R = ln 4 and ln(1/2)
    assert mdpo(refusal, overrefusal, beta=1.0).item() == pytest.approx(2 * (log(1 + 1 / 8) + log(1 + 1 / 4)))
    anchored = 2 * (log(1 + 1 / 8) + log(1 + 2 / 4))
    assert mdpo(refusal, overrefusal, beta=1.0, delta=log(2)).item() == pytest.approx(anchored)


def test_simnpo_by_hand() -> None:
    forget = likely([0.5, 0.125])  # -mean log p = 2 ln 2
    assert simnpo(forget).item() == pytest.approx(2 / 4.5 * softplus(-4.5 * 2 * log(2)))
    assert simnpo(forget, beta=1.0, delta=log(2)).item() == pytest.approx(2 * log(1.5))


def begun(own: float, other: float) -> StreamOutput:
    """One answer of two tokens, the first with probability `own` where its rival has `other`."""
    logits = torch.tensor([[own, other, 1 - own - other], [0.2, 0.3, 0.5]], dtype=torch.float64).log()
    made = stream(logits, torch.tensor([0, 2]), torch.tensor([[False, True, True]]))
    return replace(made, rival=torch.tensor([1]))


def test_decide_by_hand() -> None:
    assert decide(begun(0.5, 0.25), margin=0.0).item() == pytest.approx(log(1 + 1 / 2))
    assert decide(begun(0.1, 0.8)).item() == pytest.approx(softplus(3 + log(8)))


def test_decide_is_done_where_the_answer_leads_by_far() -> None:
    assert decide(begun(0.999, 1e-9)).item() < 1e-6
    assert decide(begun(1e-9, 0.999)).item() > 20


@pytest.mark.parametrize("beta", [0.05, 0.1, 2.0])
def test_the_value_where_the_model_is_as_it_was(beta: float) -> None:
    start = replace(drawn(0), reference=drawn(0))
    expected = torch.full((3,), 2 * log(2) / beta, dtype=torch.float64)
    torch.testing.assert_close(npo(start, beta=beta), expected)
    torch.testing.assert_close(dpo(start, start, beta=beta), expected)
    torch.testing.assert_close(mdpo(start, start, beta=beta), 2 * expected)


def test_npo_tends_to_ascent_on_the_summed_log_likelihood() -> None:
    given = free(drawn(0))
    near = gradient(given, npo(given, beta=1e-7))
    torch.testing.assert_close(near, given.mask.double(), atol=1e-6, rtol=0)
    assert (gradient(given, npo(given, beta=5.0)) - given.mask.double()).abs().max() > 0.1


def test_simnpo_tends_to_ascent_on_the_mean_log_likelihood() -> None:
    given = free(drawn(0))
    torch.testing.assert_close(gradient(given, simnpo(given, beta=1e-7)), gradient(given, ga(given)), atol=1e-6, rtol=0)


def test_npo_stops_pushing_what_is_forgotten() -> None:
    forgotten = free(changed([1e-9, 1e-9], [0.5, 0.5]))
    assert npo(forgotten, beta=1.0).item() == pytest.approx(0, abs=1e-12)
    assert gradient(forgotten, npo(forgotten, beta=1.0)).abs().max() < 1e-12


def test_dpo_pulls_the_refusal_up_and_the_answer_down() -> None:
    refusal, forget = free(drawn(0)), free(drawn(10))
    up, down = torch.autograd.grad(dpo(refusal, forget).sum(), [refusal.logprobs, forget.logprobs])
    assert (up[refusal.mask] < 0).all()
    assert (down[forget.mask] > 0).all()

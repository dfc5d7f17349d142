"""Negative log-likelihood against values worked out by hand."""

import math

import pytest
import torch
from torch import Tensor

from safeeraser.objectives import StreamOutput, nll

PROBABILITIES = torch.tensor([[1.0, 0.5, 0.25, 0.125], [0.5, 0.5, 1.0, 0.1]], dtype=torch.float64)
MASK = torch.tensor([[False, True, True, False], [True, True, True, False]])


def stream(mask: Tensor = MASK) -> StreamOutput:
    return StreamOutput(PROBABILITIES.log().requires_grad_(True), mask)


def test_mean_over_the_answer_tokens_of_each_row() -> None:
    values = nll(stream())
    torch.testing.assert_close(values, torch.tensor([1.5, 2 / 3], dtype=torch.float64) * math.log(2))


def test_two_streams_share_one_mean_over_tokens() -> None:
    other = StreamOutput(PROBABILITIES[:, :2].log(), torch.tensor([[False, True], [True, False]]))
    torch.testing.assert_close(nll(stream(), other), torch.tensor([4 / 3, 3 / 4], dtype=torch.float64) * math.log(2))


def test_first_token_weight() -> None:
    values = nll(stream(), first_token_weight=3.0)
    torch.testing.assert_close(values, torch.tensor([5 / 4, 4 / 5], dtype=torch.float64) * math.log(2))


def test_a_heavy_first_token_is_all_that_counts() -> None:
    torch.testing.assert_close(
        nll(stream(), first_token_weight=1e12), torch.full((2,), math.log(2), dtype=torch.float64), rtol=1e-9, atol=0
    )


def test_a_certain_answer_costs_nothing() -> None:
    assert nll(StreamOutput(torch.zeros(2, 4), MASK)).tolist() == [0.0, 0.0]


def test_what_is_outside_the_mask_has_no_effect_and_no_gradient() -> None:
    logprobs = torch.where(MASK, PROBABILITIES.log(), -torch.inf).requires_grad_(True)
    values = nll(StreamOutput(logprobs, MASK), first_token_weight=2.0)
    torch.testing.assert_close(values, nll(stream(), first_token_weight=2.0))
    values.sum().backward()
    assert logprobs.grad is not None
    assert torch.equal(logprobs.grad != 0, MASK)


@pytest.mark.parametrize("weight", [1.0, 4.0])
def test_gradient(weight: float) -> None:
    logprobs = torch.randn(3, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_(True)
    mask = torch.tensor([[0, 1, 1, 1, 0], [1, 0, 0, 0, 0], [0, 0, 1, 1, 1]]).bool()
    assert torch.autograd.gradcheck(lambda x: nll(StreamOutput(x, mask), first_token_weight=weight), logprobs)

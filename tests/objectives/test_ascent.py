"""ga, wga and satimp against values and gradients worked out by hand."""

from __future__ import annotations

from math import log

import pytest
import torch

from safeeraser.objectives import nll
from safeeraser.objectives.ga import ga
from safeeraser.objectives.satimp import satimp
from safeeraser.objectives.wga import wga
from tests.objectives.streams import drawn, likely

HALF_AND_QUARTER = likely([0.9, 0.5, 0.25], mask=[[0, 1, 1]])


def gradient(loss: object, **options: float) -> list[float]:
    given = likely([0.9, 0.5, 0.25], mask=[[0, 1, 1]])
    loss(given, **options).sum().backward()  # type: ignore[operator]
    return given.logprobs.grad[0].tolist()


def test_ga_is_minus_nll() -> None:
    assert ga(HALF_AND_QUARTER).item() == pytest.approx((log(1 / 2) + log(1 / 4)) / 2)
    torch.testing.assert_close(ga(drawn(0)), -nll(drawn(0)))


def test_wga_weighs_tokens_by_their_probability() -> None:
    assert wga(HALF_AND_QUARTER).item() == pytest.approx((0.5 * log(0.5) + 0.25 * log(0.25)) / 2)
    assert wga(HALF_AND_QUARTER, beta=2.0).item() == pytest.approx((0.25 * log(0.5) + 0.0625 * log(0.25)) / 2)


def test_the_weights_of_wga_have_no_gradient() -> None:
    assert gradient(wga) == pytest.approx([0, 0.5 / 2, 0.25 / 2])
    assert gradient(wga, beta=2.0) == pytest.approx([0, 0.25 / 2, 0.0625 / 2])


def test_satimp_lets_go_of_the_unlikely_and_of_the_certain() -> None:
    weights = (0.5**5 * 0.5, 0.25**5 * 0.75)
    assert satimp(HALF_AND_QUARTER).item() == pytest.approx((weights[0] * log(0.5) + weights[1] * log(0.25)) / 2)
    assert gradient(satimp) == pytest.approx([0, weights[0] / 2, weights[1] / 2])
    assert satimp(likely([1.0, 1.0])).item() == 0


def test_ascent_is_the_limit_without_weights() -> None:
    torch.testing.assert_close(wga(drawn(0), beta=0.0), ga(drawn(0)))
    torch.testing.assert_close(satimp(drawn(0), beta1=0.0, beta2=0.0), ga(drawn(0)))
    torch.testing.assert_close(satimp(drawn(0), beta1=1.5, beta2=0.0), wga(drawn(0), beta=1.5))

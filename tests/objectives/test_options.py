"""Options of methods: what there is to set, what setting it does, and what is refused."""

from __future__ import annotations

from math import log

import pytest
import torch

from safeeraser.errors import UserError
from safeeraser.objectives import Bound, Method, StreamOutput, Target, Term, find
from safeeraser.objectives.npo import npo
from tests.objectives.streams import likely

STREAMS = {
    target: StreamOutput(each.logprobs, each.mask, reference=each)
    for target, each in ((target, likely([0.5, 0.25], [0.5, 0.125])) for target in Target)
}


def test_every_option_with_its_default() -> None:
    assert find("npo").settings == {"beta": 0.1, "forget_weight": 1.0, "retain_weight": 1.0}
    assert find("rmu").settings == {"layer": 7, "c": 2.0, "seed": 0, "forget_weight": 1.0, "retain_weight": 1.0}
    assert find("satimp").settings == {"beta1": 5.0, "beta2": 1.0, "forget_weight": 0.1, "retain_weight": 1.0}
    assert find("pdu").settings == {"eps": None, "eta": 1.0, "forget_weight": 1.0, "retain_weight": 1.0}
    assert find("simnpo").settings["beta"] == 4.5
    assert find("simnpo").settings["delta"] == 0
    assert find("undial").settings["beta"] == 10
    assert find("wga").settings["beta"] == 1
    assert find("dpo").settings["beta"] == 0.1
    assert find("po").settings == {"first_token_weight": 1.0, "refusal_weight": 1.0, "retain_weight": 1.0}


def test_options_reach_the_loss_and_leave_the_table_alone() -> None:
    bound = find("npo").bind(beta=0.5, retain_weight=0.25)
    assert bound.terms[0](STREAMS).item() == pytest.approx(2 * log(2) / 0.5)
    assert [term.weight for term in bound.terms] == [1.0, 0.25]
    assert bound.settings == {"beta": 0.5, "forget_weight": 1.0, "retain_weight": 0.25}
    assert find("npo").settings["beta"] == 0.1


def test_an_option_reaches_every_loss_that_has_it() -> None:
    bound = find("rmu").bind(layer=2, c=3.5)
    assert [dict(term.options) for term in bound.terms] == [{"layer": 2, "c": 3.5}, {"layer": 2}]


def test_the_first_token_counts_more_only_where_it_decides() -> None:
    plain = find("po+pd")
    heavy = plain.bind(first_token_weight=3.0)
    changed = {
        old.name
        for old, new in zip(plain.terms, heavy.terms, strict=True)
        if new(STREAMS).item() != pytest.approx(old(STREAMS).item())
    }
    assert changed == {"refusal", "decoupled"}
    expected = ((3 * log(2) + log(4)) / 4 + (3 * log(2) + log(8)) / 4) / 2
    assert heavy.terms[0](STREAMS).item() == pytest.approx(expected)


def test_values_of_a_whole_run_go_where_they_are_known() -> None:
    assert find("ga").supply(seed=5, first_token_weight=8.0) == find("ga")
    assert find("rmu").supply(seed=5, first_token_weight=8.0).settings["seed"] == 5
    assert find("ga+pd").supply(seed=5, first_token_weight=8.0).settings["first_token_weight"] == 8


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("npo", {"bta": 0.2}, "npo: unknown option 'bta'; did you mean 'beta'"),
        ("ga", {"beta": 0.2}, r"ga: unknown option 'beta' \(there are: forget_weight\)"),
        ("npo", {"beta": 0}, "npo: option beta must be above 0, not 0"),
        ("npo", {"beta": 10**400}, "option beta must be a number, not 1000"),
        ("npo", {"beta": float("nan")}, "option beta must be a number, not nan"),
        ("npo", {"beta": True}, "option beta must be a number, not True"),
        ("npo", {"retain_weight": -1}, "option retain_weight must be 0 or more, not -1"),
        ("rmu", {"layer": 1.5}, "option layer must be a whole number, not 1.5"),
        ("rmu", {"seed": 2.0**64}, r"option seed must be below 2\^64, not 1\.8"),
        ("rmu", {"seed": 2.5}, "option seed must be a whole number, not 2.5"),
        ("pdu", {}, r"pdu: option eps has no default and has to be set \(unlearn.options.eps\)"),
        ("pdu+pd", {"eps": 1.0, "eta": 0.0}, "option eta must be above 0, not 0.0"),
    ],
)
def test_what_is_refused(name: str, options: dict[str, float], message: str) -> None:
    with pytest.raises(UserError, match=message):
        find(name).bind(**options)


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(UserError) as error:
        find("pdu").bind(eta=-1.0, beta=2.0)
    assert len(str(error.value).splitlines()) == 3


def test_a_term_is_as_strict() -> None:
    with pytest.raises(UserError, match="unknown option 'betta'; did you mean 'beta'"):
        Term("forget", npo, (Target.FORGET,)).bind(betta=1.0)


def test_a_loss_may_be_any_function_of_streams() -> None:
    def mine(forget: StreamOutput, *, power: float = 2.0) -> torch.Tensor:
        """Something of one's own."""
        return forget.logprobs.exp().pow(power).mean(dim=1)

    method = Method("mine", (Term("forget", mine, (Target.FORGET,), 3.0),))
    assert method.settings == {"power": 2.0, "forget_weight": 3.0}
    assert method.bind(power=1.0).terms[0](STREAMS).item() == pytest.approx((0.75 + 0.625) / 4)


def test_a_bound_raises_the_weight_above_it_and_lowers_it_below() -> None:
    bound = Bound(eps=0.5, eta=2.0)
    assert bound.raised(1.0, 0.75) == pytest.approx(1.5)
    assert bound.raised(1.0, 0.25) == pytest.approx(0.5)
    assert bound.raised(1.0, 0.5) == 1.0
    assert bound.raised(0.1, 0.0) == 0.0

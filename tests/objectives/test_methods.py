"""The table of methods: its weights, its presets, and what its names lead to."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from safeeraser.errors import UserError
from safeeraser.metrics.paired import plainer
from safeeraser.objectives import ADDITIONS, METHODS, Need, StreamOutput, Target, find, names, nll
from safeeraser.objectives.decide import decide
from safeeraser.objectives.kl import anchor

STREAMS = {
    Target.FORGET: StreamOutput(-torch.tensor([[2.0, 8.0], [7.0, 1.0]]), torch.tensor([[True, True], [True, False]])),
    Target.REFUSAL: StreamOutput(-torch.tensor([[1.0, 2.0], [3.0, 9.0]]), torch.tensor([[True, True], [True, False]])),
    Target.RETAIN: StreamOutput(-torch.tensor([[4.0], [5.0]]), torch.tensor([[True], [True]])),
    Target.DECOUPLED: StreamOutput(-torch.tensor([[6.0], [8.0]]), torch.tensor([[True], [True]])),
}
FORGET, RETAIN, DECOUPLED = (5 + 7) / 2, (4 + 5) / 2, (6 + 8) / 2  # the mean NLLs of these streams
NAMES = [
    "ga",
    "gd",
    "kl",
    "po",
    "dpo",
    "npo",
    "simnpo",
    "rmu",
    "undial",
    "wga",
    "satimp",
    "ceu",
    "pdu",
    "mdpo",
    "decide",
]


def total(name: str, preset: Any = "clean", **options: float) -> float:
    method = find(name, preset).bind(**options)
    return sum(term.weight * term(STREAMS).item() for term in method.terms)


def weights(name: str, preset: Any = "clean") -> dict[str, float]:
    return {term.name: term.weight for term in find(name, preset).terms}


def test_every_method_with_and_without_pd() -> None:
    assert list(METHODS) == [each for name in NAMES for each in (name, f"{name}+pd")]
    assert [name for name, presets in METHODS.items() if "paper" in presets] == [
        each for name in NAMES[:4] for each in (name, f"{name}+pd")
    ]


@pytest.mark.parametrize("name", NAMES[:-1])
def test_clean_pd_adds_one_term_and_changes_nothing_else(name: str) -> None:
    plain, decoupled = find(name), find(f"{name}+pd")
    assert decoupled.terms[:-1] == plain.terms
    added = decoupled.terms[-1]
    assert (added.loss, added.targets, added.weight) == (nll, (Target.DECOUPLED,), 1.0)
    assert Target.DECOUPLED not in plain.targets
    assert set(decoupled.targets) == {*plain.targets, Target.DECOUPLED}


def test_decide_decides_about_both_sides_with_pd() -> None:
    added = find("decide+pd").terms[len(find("decide").terms) :]
    assert [(term.loss, term.targets, term.weight) for term in added] == [
        (decide, (Target.DECOUPLED,), 4.0),
        (nll, (Target.DECOUPLED,), 1.0),
    ]
    assert find("decide+pd").needs[Target.DECOUPLED] == Need.LOGITS | Need.RIVAL


def test_clean_sums_by_hand() -> None:
    assert total("ga") == pytest.approx(-FORGET)
    assert total("gd") == pytest.approx(-FORGET + RETAIN)
    assert total("gd+pd") == pytest.approx(-FORGET + RETAIN + DECOUPLED)
    assert total("po") == pytest.approx((1.5 + 3) / 2 + RETAIN)
    assert total("po+pd") == pytest.approx((1.5 + 3) / 2 + RETAIN + DECOUPLED)


def test_the_weights_of_the_authors() -> None:
    assert total("ga", "paper") == pytest.approx(-FORGET)
    assert total("ga+pd", "paper") == pytest.approx(-FORGET + 0.5 * DECOUPLED)
    assert total("gd", "paper") == pytest.approx(-FORGET + RETAIN)
    assert total("gd+pd", "paper") == pytest.approx(-FORGET + 0.5 * RETAIN + 0.5 * DECOUPLED)
    assert weights("kl", "paper") == {"forget": 1, "retain": 1}
    assert weights("kl+pd", "paper") == {"forget": 1, "retain": 1, "decoupled": 1}


def test_paper_po_is_one_token_mean_over_refusal_and_retain() -> None:
    assert total("po", "paper") == pytest.approx(((1 + 2 + 4) / 3 + (3 + 5) / 2) / 2)
    assert total("po+pd", "paper") == pytest.approx(total("po", "paper") + DECOUPLED)


def test_the_weights_of_other_papers() -> None:
    assert weights("simnpo") == {"forget": 0.125, "retain": 1}
    assert weights("satimp") == {"forget": 0.1, "retain": 1}
    ones = {name for name in NAMES if set(weights(name).values()) == {1.0}}
    assert ones == set(NAMES) - {"simnpo", "satimp", "decide"}


def test_what_is_computed_for_a_method() -> None:
    assert find("po+pd").needs == dict.fromkeys((Target.REFUSAL, Target.RETAIN, Target.DECOUPLED), Need.NOTHING)
    assert find("kl+pd").needs == {
        Target.FORGET: Need.NOTHING,
        Target.RETAIN: Need.LOGITS | Need.REFERENCE,
        Target.DECOUPLED: Need.NOTHING,
    }
    assert find("dpo").needs == {
        Target.FORGET: Need.REFERENCE,
        Target.REFUSAL: Need.REFERENCE,
        Target.RETAIN: Need.NOTHING,
    }
    assert find("rmu").needs == {Target.FORGET: Need.HIDDEN, Target.RETAIN: Need.HIDDEN | Need.REFERENCE}
    assert {name for name in NAMES if find(name).layers} == {"rmu"}
    assert find("rmu").bind(layer=3).layers == {3}
    referring = {name for name in NAMES if any(Need.REFERENCE in need for need in find(name).needs.values())}
    assert referring == {"kl", "dpo", "mdpo", "npo", "rmu", "undial"}


def test_unknown_names() -> None:
    with pytest.raises(UserError, match=r"unknown method 'popd'; did you mean 'po\+pd'"):
        find("popd")
    with pytest.raises(UserError, match=r"unknown method '\+kl'"):
        find("+kl")
    with pytest.raises(UserError, match="unknown preset 'papers'; did you mean 'paper'"):
        find("po", "papers")  # type: ignore[arg-type]
    with pytest.raises(
        UserError, match="npo has no preset 'paper', which is for methods of the SafeEraser paper: ga, "
    ):
        find("npo", "paper")


def test_rec_begins_the_answers_of_half_of_the_rows_of_methods_that_refuse() -> None:
    refusing = ("po", "dpo", "mdpo", "decide")
    assert {name for name in names() if name.endswith("+rec")} == {
        f"{name}{end}+rec" for name in refusing for end in ("", "+pd", "+pd+kl", "+pd+neutral", "+pd+kl+neutral")
    }
    method = find("po+pd+rec")
    assert (method.name, method.terms, method.recovery) == ("po+pd+rec", find("po+pd").terms, 0.5)
    assert method.bind(recovery=0.25, refusal_weight=4).recovery == 0.25
    assert method.bind(refusal_weight=4).recovery == 0.5


@pytest.mark.parametrize("share", [-0.1, 1.5, True, 10**400])
@pytest.mark.parametrize(("name", "option"), [("po+rec", "recovery"), ("po+pd+neutral", "neutral")])
def test_what_is_done_to_a_share_of_rows(name: str, option: str, share: float) -> None:
    with pytest.raises(UserError, match=f"option {option} must be a share of (rows|questions), 0 to 1, not"):
        find(name).bind(**{option: share})


def test_neutral_changes_the_pictures_of_decoupled_rows_and_no_term() -> None:
    method = find("po+pd+neutral")
    assert (method.terms, method.neutral, method.recovery) == (find("po+pd").terms, 0.5, None)
    assert method.bind(neutral=0.25, refusal_weight=4).neutral == 0.25
    assert method.formula.endswith("1 nll(decoupled), 50% of decoupled pictures neutral")
    assert method.bind(forms=0.25).formula.endswith("neutral, 25% of these forms")
    assert find("po+pd").neutral is None
    with pytest.raises(UserError, match=r"po\+neutral: po has no decoupled rows whose pictures could be neutral"):
        find("po+neutral")


def test_rec_needs_a_refusal_to_give() -> None:
    with pytest.raises(UserError, match=r"ga\+rec: ga trains no refusal"):
        find("ga+rec")
    with pytest.raises(UserError, match=r"unknown method 'pp\+pd'"):
        find("pp+pd+rec")
    with pytest.raises(UserError, match="unknown option 'recovery'"):
        find("po").bind(recovery=0.5)


def test_kl_adds_a_divergence_on_decoupled_rows() -> None:
    method = find("po+pd+kl").bind(anchor_weight=4)
    assert method.terms[:-1] == find("po+pd").terms
    assert (method.terms[-1].loss, method.terms[-1].targets, method.terms[-1].weight) == (
        anchor,
        (Target.DECOUPLED,),
        4,
    )
    assert method.needs[Target.DECOUPLED] == Need.LOGITS | Need.REFERENCE
    with pytest.raises(UserError, match=r"ga\+kl: ga has no decoupled rows"):
        find("ga+kl")


def test_sam_changes_where_the_gradient_is_taken_and_no_term() -> None:
    method = find("npo+pd+sam")
    assert (method.terms, method.rho) == (find("npo+pd").terms, 0.01)
    assert method.bind(rho=0.1).rho == 0.1
    assert find("npo+pd").rho is None


@pytest.mark.parametrize("length", [0.0, -1.0, float("nan")])
def test_rho_is_a_length(length: float) -> None:
    with pytest.raises(UserError, match="option rho must be a length above 0"):
        find("po+sam").bind(rho=length)


def test_an_unknown_name_is_told_the_near_ones_and_no_more_than_forty() -> None:
    with pytest.raises(UserError) as error:
        find("po+sam+rec")
    near, _, listed = str(error.value).partition("(there are: ")
    assert "'po+rec'" in near
    assert listed.count(",") == 40
    assert listed.endswith(f"and {len(names()) - 40} more)")


def test_a_method_has_one_name() -> None:
    assert len(set(names())) == len(names())
    for name in ("po+sam+rec", "po+rec+pd", "po+pd+pd", "po+rec+rec"):
        with pytest.raises(UserError, match="unknown method"):
            find(name)


def test_the_report_compares_a_method_with_the_one_without_its_last_addition() -> None:
    for end in ("+pd", *ADDITIONS):
        assert plainer(f"po{end}") == "po"

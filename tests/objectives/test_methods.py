"""The table of methods: its weights, its presets, and what its names lead to."""

import pytest
import torch

from safeeraser.errors import UserError
from safeeraser.objectives import METHODS, StreamOutput, Target, find

STREAMS = {
    Target.REFUSAL: StreamOutput(-torch.tensor([[1.0, 2.0], [3.0, 9.0]]), torch.tensor([[True, True], [True, False]])),
    Target.RETAIN: StreamOutput(-torch.tensor([[4.0], [5.0]]), torch.tensor([[True], [True]])),
    Target.DECOUPLED: StreamOutput(-torch.tensor([[6.0], [8.0]]), torch.tensor([[True], [True]])),
}


def total(name: str, preset: str) -> float:
    method = find(name, preset)  # type: ignore[arg-type]
    return sum(term.weight * term(STREAMS).item() for term in method.terms)


def test_clean_po_adds_two_means_over_rows() -> None:
    assert total("po", "clean") == pytest.approx((1.5 + 3) / 2 + (4 + 5) / 2)


def test_clean_pd_adds_one_term_and_changes_nothing_else() -> None:
    assert total("po+pd", "clean") == pytest.approx(total("po", "clean") + 7)
    assert find("po+pd").terms[:-1] == find("po").terms


def test_paper_po_is_one_token_mean_over_refusal_and_retain() -> None:
    assert total("po", "paper") == pytest.approx(((1 + 2 + 4) / 3 + (3 + 5) / 2) / 2)
    assert total("po+pd", "paper") == pytest.approx(total("po", "paper") + 7)


@pytest.mark.parametrize("preset", ["clean", "paper"])
def test_only_pd_needs_decoupled_rows(preset: str) -> None:
    assert METHODS["po"][preset].targets == (Target.REFUSAL, Target.RETAIN)  # type: ignore[index]
    assert METHODS["po+pd"][preset].targets == (Target.REFUSAL, Target.RETAIN, Target.DECOUPLED)  # type: ignore[index]


def test_options_reach_the_loss() -> None:
    bound = find("po").bind(first_token_weight=3.0)
    assert bound.terms[0](STREAMS).item() == pytest.approx(((3 * 1 + 2) / 4 + 3) / 2)
    assert find("po").terms[0](STREAMS).item() == pytest.approx((1.5 + 3) / 2)


def test_the_first_token_counts_more_only_where_it_decides() -> None:
    bound = {term.name: term for term in find("po+pd").bind(first_token_weight=3.0).terms}
    plain = {term.name: term for term in find("po+pd").terms}
    assert bound["refusal"](STREAMS).item() != pytest.approx(plain["refusal"](STREAMS).item())
    assert bound["retain"](STREAMS).item() == pytest.approx(plain["retain"](STREAMS).item())


def test_unknown_names() -> None:
    with pytest.raises(UserError, match=r"unknown method 'popd'; did you mean 'po\+pd' or 'po'"):
        find("popd")
    with pytest.raises(UserError, match="unknown preset 'papers'; did you mean 'paper'"):
        find("po", "papers")  # type: ignore[arg-type]

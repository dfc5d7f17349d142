"""Worked by hand: what each measure says of a model that knows, one that forgot, and one that only holds back."""

import dataclasses
from collections.abc import Sequence
from math import exp, log
from pathlib import Path

import pytest

from safeeraser.errors import UserError
from safeeraser.metrics.likelihood import MEASURES, metrics
from safeeraser.records import Example, Likelihood, Metric, Split, Stream


def example(
    name: str, stream: Stream = Stream.FORGET, picture: str | None = None, subset: str | None = None
) -> Example:
    image = Path(picture or name)
    return Example(id=name, split=Split.VALIDATION, stream=stream, image=image, question="?", answer="!", subset=subset)


def likelihood(name: str, probabilities: Sequence[float], number: int | None = None) -> Likelihood:
    """Of the answer, or of a contrast where it has a number, from the probability of each of its tokens."""
    return Likelihood(
        example_id=name,
        role="answer" if number is None else "contrast",
        number=number or 0,
        text="text",
        logprob=sum(map(log, probabilities)),
        first=log(probabilities[0]),
        tokens=len(probabilities),
    )


def values(found: list[Metric], part: str = "generality", group: str = "all") -> dict[str, float | None]:
    return {metric.name: metric.value for metric in found if (metric.part, metric.group) == (part, group)}


def of(*likelihoods: Likelihood) -> dict[str, float | None]:
    return values(metrics("m", [example("a")], likelihoods))


def test_each_measure_by_hand() -> None:
    # P = (0.5 * 0.5 * 0.02)^(1/3); P' = geometric mean of (0.04)^(1/1) and (0.1 * 0.1)^(1/2)
    found = of(likelihood("a", [0.5, 0.5, 0.02]), likelihood("a", [0.04], 0), likelihood("a", [0.1, 0.1], 1))
    p, contrast = 0.005 ** (1 / 3), (0.04 * 0.1) ** 0.5
    assert found == {
        "answer_probability": pytest.approx(p),
        "begun_probability": pytest.approx(0.1),
        "truth_ratio": pytest.approx(p / (p + contrast)),
        "answer_nll": pytest.approx(-log(0.005) / 3),
    }


def test_holding_back_differs_from_having_forgotten() -> None:
    """A refusal in front changes the first token only: what was learnt is still there, once the answer has begun."""
    refusal = likelihood("a", [0.9, 0.9], 0)
    knows, holds_back, forgot = (
        of(likelihood("a", tokens), refusal) for tokens in ([0.8] * 8, [1e-4, *[0.8] * 7], [0.05] * 8)
    )
    assert holds_back["begun_probability"] == pytest.approx(knows["begun_probability"])
    assert holds_back["begun_probability"] == pytest.approx(0.8)
    assert forgot["begun_probability"] == pytest.approx(0.05)
    order = [each["answer_probability"] for each in (knows, holds_back, forgot)]
    assert order == sorted(order, reverse=True)


def test_extremes_stay_within_bounds() -> None:
    certain, impossible = [1.0] * 3, [exp(-700)] * 3
    assert of(likelihood("a", certain), likelihood("a", impossible, 0))["truth_ratio"] == 1.0
    assert of(likelihood("a", impossible), likelihood("a", certain, 0))["truth_ratio"] == 0.0
    assert of(likelihood("a", [0.3]), likelihood("a", [0.3], 0))["truth_ratio"] == 0.5


def test_what_is_not_known_is_unscored() -> None:
    assert set(of().values()) == {None}
    alone = of(likelihood("a", [0.5]))
    assert alone["truth_ratio"] is None, "without contrasts"
    assert alone["begun_probability"] is None, "nothing is left after the only token"
    assert alone["answer_probability"] == pytest.approx(0.5)
    (metric,) = [
        each
        for each in metrics("m", [example("a"), example("b")], [likelihood("a", [0.5])])
        if (each.name, each.part, each.group) == ("answer_probability", "generality", "all")
    ]
    assert (metric.n, metric.unscored, metric.value) == (1, 1, pytest.approx(0.5))


def test_parts_and_subsets_are_told_apart() -> None:
    asked = [
        example("a", subset="seen"),
        example("b", subset="unseen"),
        example("c", Stream.DECOUPLED),
        example("d", Stream.RETAIN),
    ]
    made = [likelihood(each.id, [number / 10]) for number, each in enumerate(asked, start=1)]
    found = metrics("m", asked, made)
    assert values(found)["answer_probability"] == pytest.approx(0.15)
    assert values(found, group="subset=seen")["answer_probability"] == pytest.approx(0.1)
    assert values(found, "decoupled")["answer_probability"] == pytest.approx(0.3)
    assert values(found, "retain")["answer_probability"] == pytest.approx(0.4)
    assert set(values(found, "efficacy").values()) == {None}
    assert len({(each.name, each.part, each.group) for each in found}) == len(found) == len(MEASURES) * 6


def test_intervals_hold_the_mean_and_go_by_picture() -> None:
    asked = [example(f"{picture}{number}", picture=picture) for picture in "abcdef" for number in range(4)]
    made = [likelihood(each.id, [0.2 + 0.1 * "abcdef".index(each.id[0]), 0.5]) for each in asked]
    for metric in metrics("m", asked, made):
        if metric.part == "generality" and metric.name != "truth_ratio":
            assert metric.low is not None
            assert metric.low <= metric.value <= metric.high
            assert metrics("m", asked, made) == metrics("m", asked[::-1], made[::-1])
    one_picture = [example(str(number), picture="a") for number in range(4)]
    nll = {each.name: each for each in metrics("m", one_picture, [likelihood(str(n), [0.5]) for n in range(4)])}
    assert (nll["answer_nll"].low, nll["answer_nll"].high) == (None, None)


@pytest.mark.parametrize("odd", [{"tokens": 0}, {"logprob": 1e6}, {"first": 0.5}])
def test_what_no_model_finds_is_refused(odd: dict[str, float]) -> None:
    with pytest.raises(UserError, match="likelihood of 'a', answer 0: no log-probability"):
        metrics("m", [example("a")], [dataclasses.replace(likelihood("a", [0.5, 0.5]), **odd)])


def test_likelihoods_of_other_examples_are_refused() -> None:
    with pytest.raises(UserError, match="of 1 examples that were not asked, such as 'z'"):
        metrics("m", [example("a")], [likelihood("z", [0.5])])

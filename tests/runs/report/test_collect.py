"""What the page holds: bounded answers and pictures, every verdict in its place."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from safeeraser.runs.report.page import Attacks, build, collect
from safeeraser.runs.report.page.attacked import curves
from safeeraser.runs.report.page.collect import Shown
from tests.runs.report.views import MODELS, examples, page_view, shown


def test_a_verdict_stands_beside_its_answer(tmp_path: Path) -> None:
    made = page_view(tmp_path, 8)
    unsafe = made["models"][0]["verdicts"][0]["unsafe"]
    asked = [made["examples"]["id"][number] for number in made["models"][0]["example"]]

    by_id = dict(zip(asked, zip(unsafe["value"], unsafe["reason"], strict=True), strict=True))

    assert by_id["0/forget"][0] == 1.0
    assert made["strings"][by_id["0/forget"][1]] == "because"
    assert by_id["7/forget"][0] is None
    assert by_id["0/retain"] == (None, -2)  # nobody was asked


def test_a_partner_is_found_by_its_place(tmp_path: Path) -> None:
    made = page_view(tmp_path, 2)["examples"]

    assert [made["id"][number] if number >= 0 else None for number in made["partner"]] == [
        None, "0/forget", None, None, "1/forget", None,
    ]  # fmt: skip


def test_curves_of_a_training_stand_beside_its_loss(tmp_path: Path) -> None:
    log = tmp_path / "loss.jsonl"
    log.write_text(
        '{"step": 0, "rr": 0.0, "margin_safe": -2.0}\n{"step": 1, "loss": 3.5}\n'
        '{"step": 1, "selection_loss": 3.0, "rr": 0.5, "margin_safe": -4.0}\n{"step": 2, "lo'
    )
    model = Shown(name="po", answers=(), verdicts=(), losses=log)

    (training,) = collect(examples(tmp_path, 1), [model], [])["training"]

    assert training == {
        "name": "po",
        "points": [(1, 3.5)],
        "curves": {"rr": [(0, 0.0), (1, 0.5)], "margin_safe": [(0, -2.0), (1, -4.0)]},
    }


def test_a_long_answer_is_cut_and_says_so(tmp_path: Path) -> None:
    text = page_view(tmp_path, 1, {"0/forget": "a" * 1_000_000})["models"][0]["text"][0]

    assert len(text) < 21_000
    assert text.endswith("[... 980,000 more characters are not in this page]")


def test_pictures_beyond_the_budget_are_left_out_and_counted(tmp_path: Path) -> None:
    made = page_view(tmp_path, 6, picture_bytes=100)

    assert made["pictures"].count(None) == 5
    assert made["notes"][0].startswith("5 pictures are left out")


def test_a_missing_picture_is_left_out(tmp_path: Path) -> None:
    asked = [dataclasses.replace(each, image=tmp_path / "none.png") for each in examples(tmp_path, 1)]

    assert collect(asked, [shown(asked, MODELS[0])], [])["pictures"] == [None]


def test_equal_views_give_equal_pages_that_no_parser_leaves_early(tmp_path: Path) -> None:
    made = page_view(tmp_path, 1, {"0/forget": "</script><!-- \ud800"})

    page = build("t", made)

    assert page == build("t", made)
    assert page.count("</script>") == 3


def test_a_model_of_which_nothing_was_scored_when_left_alone_has_no_point_there() -> None:
    def metric(value: float | None) -> dict[str, Any]:
        return {"name": "asr", "value": value, "low": value, "high": value, "n": 0 if value is None else 4}

    outcomes = [{"attack": "none", "column": "po", "metrics": [metric(None)]}]
    at = [
        {**metric(0.5), "measure": "asr", "attack": "prefill", "column": "po", "series": "", "budget": b}
        for b in (1, 4)
    ]

    (line,) = curves(Attacks(outcomes, at, [], {}))

    assert [point[0] for point in line["points"]] == [1, 4]

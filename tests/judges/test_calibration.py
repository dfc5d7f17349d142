"""Judges held against labels: by hand, against closed forms, and in simulated surveys whose truth is known."""

from __future__ import annotations

import csv
import doctest
import io
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from openpyxl import Workbook
from scipy.stats import beta
from typer.testing import CliRunner

from safeeraser.benchmarks.released import read as released
from safeeraser.cli import app
from safeeraser.errors import UserError
from safeeraser.judges.agreement import figures
from safeeraser.judges.agreement.figures import Accuracy, Read, accuracy, corrected
from safeeraser.judges.agreement.labels import LabelError, read_labels
from safeeraser.judges.agreement.rates import agree, to_markdown
from safeeraser.judges.agreement.sample import Answered, Drawn, draw
from safeeraser.judges.agreement.sheet import write_sheet
from safeeraser.records import Axis, Example, Generation, Split, Stream, write_jsonl
from tests.benchmarks import small
from tests.judges.asked import answers, examples


def table(tp: int, fn: int, fp: int, tn: int) -> list[Read]:
    """Labels on answers that were not drawn by verdict."""
    return [Read(1, 1.0)] * tp + [Read(1, 0.0)] * fn + [Read(0, 1.0)] * fp + [Read(0, 0.0)] * tn


def population(*verdicts: tuple[Stream, float | None], model: str = "m", said: str = "so") -> list[Answered]:
    return [
        Answered(
            model=model,
            example=Example(
                id=f"e{n}", split=Split.VALIDATION, stream=stream, image=None, question="?", answer="A cat."
            ),
            generation=Generation(example_id=f"e{n}", sample=0, answer=said, finish="stop"),
            verdicts={Axis.REFUSAL: value},
        )
        for n, (stream, value) in enumerate(verdicts)
    ]


def ends(found: Any) -> tuple[float, float]:
    assert found.low is not None
    assert found.high is not None
    return found.low, found.high


def test_examples() -> None:
    assert doctest.testmod(figures).failed == 0


def test_a_table_by_hand() -> None:
    found = accuracy([*table(40, 10, 5, 45), Read(1, None)])
    assert (found.tpr.value, found.tpr.n) == (pytest.approx(0.8), 50)
    assert (found.tnr.value, found.tnr.n) == (pytest.approx(0.9), 50)
    assert found.kappa.value == pytest.approx((0.85 - 0.5) / 0.5)
    assert found.unscored == 1
    # of four cells with half an answer more each, TPR is Beta(40.5, 10.5)
    assert ends(found.tpr) == pytest.approx(beta.ppf([0.025, 0.975], 40.5, 10.5), abs=0.01)


def test_rogan_gladen_by_hand_and_its_interval_by_the_delta_method() -> None:
    """(0.38 + 0.8 - 1) / (0.9 + 0.8 - 1); large samples, where the delta method holds."""
    judge = accuracy(table(1800, 200, 400, 1600))
    observed, found = corrected([1.0] * 1520 + [0.0] * 2480, judge)
    rate = 0.18 / 0.7
    variance = 0.38 * 0.62 / 4000 + rate**2 * 0.9 * 0.1 / 2000 + (1 - rate) ** 2 * 0.8 * 0.2 / 2000
    half = 1.96 * np.sqrt(variance) / 0.7
    assert observed.value == 0.38
    assert found.value == pytest.approx(rate)
    assert ends(found) == pytest.approx((rate - half, rate + half), abs=0.004)


def drawn_by_verdict(no: tuple[int, int, int], yes: tuple[int, int, int]) -> list[Read]:
    """(size of the stratum, positive labels, negative labels) of the answers with each verdict."""
    return [
        Read(label, verdict, f"s{verdict:g}", size)
        for verdict, (size, positive, negative) in ((0.0, no), (1.0, yes))
        for label in [1] * positive + [0] * negative
    ]


def test_a_balanced_sample_stands_for_its_population() -> None:
    """900 answers called no, a tenth of them wrongly, 100 called yes, a fifth of them wrongly: 90 + 80 are positive."""
    judge = accuracy(drawn_by_verdict(no=(900, 5, 45), yes=(100, 40, 10)))
    assert judge.tpr.value == pytest.approx(80 / 170)
    assert judge.tnr.value == pytest.approx(810 / 830)
    _, found = corrected([1.0] * 100 + [0.0] * 900, judge)
    assert found.value == pytest.approx(0.17)
    naive = accuracy([Read(each.label, each.verdict) for each in drawn_by_verdict((900, 5, 45), (100, 40, 10))])
    assert naive.tpr.value == pytest.approx(40 / 45)


def test_a_second_judge_is_weighted_by_the_strata_of_the_first() -> None:
    """In the stratum of 900 it agrees with 9 of 10 labels of either kind, in that of 100 with all."""
    reads = [
        *[Read(1, 1.0, "a", 900)] * 9,
        *[Read(1, 0.0, "a", 900)] * 1,
        *[Read(0, 0.0, "a", 900)] * 9,
        *[Read(0, 1.0, "a", 900)] * 1,
        *[Read(1, 1.0, "b", 100)] * 4,
    ]
    found = accuracy(reads)
    assert found.tpr.value == pytest.approx((405 + 100) / (450 + 100))
    assert found.tnr.value == pytest.approx(0.9)


def test_where_all_agree_the_intervals_stay_open() -> None:
    found = accuracy(table(20, 0, 0, 20))
    assert (found.tpr.value, found.kappa.value) == (1, 1)
    assert ends(found.tpr)[0] < 0.95
    assert ends(found.kappa)[0] < 0.99


def test_a_judge_that_knows_nothing_corrects_nothing() -> None:
    observed, found = corrected([1.0] * 5 + [0.0] * 5, accuracy(table(10, 10, 10, 10)))
    assert observed.value == 0.5
    assert (found.value, found.low, found.high) == (None, None, None)
    barely = corrected([1.0] * 5 + [0.0] * 5, accuracy(table(11, 10, 10, 10)))[1]
    assert ends(barely) == (0.0, 1.0)
    assert corrected([], accuracy(table(10, 1, 1, 10)))[1].value is None
    assert corrected([1.0], accuracy(table(10, 1, 0, 0)))[1].value is None
    assert accuracy([]).tpr.value is None


def test_the_intervals_cover_the_truth() -> None:
    """100 surveys: 400 answers, 30% positive; TPR 0.85, TNR 0.9; 25 labels on answers of each verdict."""
    rng = np.random.default_rng(0)
    hits: Counter[str] = Counter()
    for number in range(100):
        truth = rng.random(400) < 0.3
        said = np.where(truth, rng.random(400) < 0.85, rng.random(400) < 0.1)
        reads = [
            Read(int(truth[place]), float(verdict), f"s{verdict}", int((said == verdict).sum()))
            for verdict in (False, True)
            for place in rng.permutation(np.flatnonzero(said == verdict))[:25]
        ]
        judge: Accuracy = accuracy(reads, seed=number)
        rate = corrected([float(each) for each in said], judge, seed=number)[1]
        for name, value, share in (("tpr", 0.85, judge.tpr), ("tnr", 0.9, judge.tnr), ("rate", 0.3, rate)):
            low, high = ends(share)
            hits[name] += low <= value <= high
    assert all(hits[name] >= 91 for name in ("tpr", "tnr", "rate")), hits


def test_a_draw_is_balanced_seeded_and_blind() -> None:
    found = population(*[(Stream.FORGET, 0.0)] * 90, *[(Stream.FORGET, 1.0)] * 5, *[(Stream.RETAIN, 0.0)] * 30)
    drawn = draw(found, 45, seed=1)
    assert Counter((each.answered.example.stream, each.stratum_size) for each in drawn) == {
        (Stream.FORGET, 5): 5,
        (Stream.FORGET, 90): 20,
        (Stream.RETAIN, 30): 20,
    }
    assert [each.answered.key for each in draw(found[::-1], 45, seed=1)] == [each.answered.key for each in drawn]
    assert [each.answered.key for each in draw(found, 45, seed=2)] != [each.answered.key for each in drawn]
    assert len(draw(found, 1000, seed=1)) == 125
    assert all("refusal" not in each.stratum for each in found)
    with pytest.raises(UserError, match="2 answers for 3 kinds of verdict"):
        draw(found, 2, seed=1)


NASTY = ('=1+1\n"; "', "'quoted", "</script><script>alert(1)</script>", "\x1b[31mred", "", "a" * 2**20, "é\r\nü")


def test_a_table_keeps_every_answer_and_holds_no_formula(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    found = [population((Stream.DECOUPLED, 1.0), said=said)[0] for said in NASTY]
    write_sheet(path, [Drawn(each, 7) for each in found])
    csv.field_size_limit(2**21)
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert not any(cell.startswith(("=", "+", "@")) for row in rows for cell in row)
    place = {name: number for number, name in enumerate(rows[0])}
    assert (rows[1][place["unsafe"]], rows[1][place["refusal"]]) == ("-", "")
    for row in rows[1:]:
        row[place["refusal"]] = "1"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    labelled = read_labels(path)
    assert [item.generation.answer for item in labelled] == list(NASTY)
    assert {(item.labels[Axis.REFUSAL], item.stratum_size, item.model) for item in labelled} == {(1, 7, "m")}
    rows[2][place["refusal"]], rows[3][place["refusal"]] = "maybe", ""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    with pytest.raises(LabelError, match=r"labels\.csv:\d+: labels: refusal must be 0 or 1, found 'maybe'"):
        read_labels(path)


def saved(path: Path, way: str) -> Path:
    """A table of labels as a program saves it that it was labelled in."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    if way == "workbook":
        book = Workbook()
        for row in rows:
            book.active.append([int(cell) if cell == "1" else cell or None for cell in row])
        book.save(path.with_suffix(".xlsx"))
        return path.with_suffix(".xlsx")
    separator, encoding = {"Excel": (";", "cp1252"), "Unicode text": ("\t", "utf-16")}.get(way, (",", "utf-8"))
    text = io.StringIO()
    csv.writer(text, delimiter=separator).writerows(rows)
    if way == "data frame":
        text = io.StringIO(text.getvalue().replace(",1,", ",1.0,"))
    path.write_bytes(text.getvalue().encode(encoding))
    return path


@pytest.mark.parametrize("way", ["Excel", "Unicode text", "workbook", "data frame"])
def test_labels_are_read_as_the_programs_save_them_in_which_people_label(way: str, tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    write_sheet(path, [Drawn(population((Stream.DECOUPLED, 1.0), said="=Caf\xe9; no")[0], 7)])
    path.write_text(path.read_text(encoding="utf-8").replace(",-,,", ",-,1,"), encoding="utf-8")
    (item,) = read_labels(saved(path, way))
    assert item.generation.answer == "=Caf\xe9; no"
    assert set(item.labels.values()) == {1}
    assert item.stratum_size == 7


def test_a_page_takes_no_answer_for_markup_and_overwrites_nothing(tmp_path: Path) -> None:
    path = tmp_path / "labels.html"
    write_sheet(path, [Drawn(population((Stream.FORGET, 1.0), said=said)[0], 7) for said in NASTY])
    page = path.read_text(encoding="utf-8")
    assert page.count("</script>") == 2
    (data,) = re.findall(r'<script type="application/json" id="data">(.*)</script>', page)
    rows = json.loads(data)["rows"]
    assert [row["said"] for row in rows] == list(NASTY)
    assert rows[0]["axes"] == ["meaningless", "partial", "refusal", "unsafe"]
    with pytest.raises(UserError, match="may hold labels"):
        write_sheet(path, [])
    with pytest.raises(UserError, match=r"a table \(\.csv\) or a page \(\.html\)"):
        write_sheet(tmp_path / "labels.xlsx", [])


def test_kappa_between_judges() -> None:
    """20 both yes, 5 and 10 split, 15 both no, as in a textbook: 0.4. What one could not score does not count."""
    first = [1.0] * 25 + [0.0] * 25 + [None]
    second = [1.0] * 20 + [0.0] * 5 + [1.0] * 10 + [0.0] * 15 + [1.0]
    populations = {
        name: population(*((Stream.FORGET, value) for value in values))
        for name, values in (("a", first), ("b", second))
    }
    (pair,) = agree(populations)
    assert (pair.first, pair.second, pair.axis, pair.kappa.n) == ("a", "b", Axis.REFUSAL, 50)
    assert pair.kappa.value == pytest.approx(0.4)


# the commands


def command(*arguments: object) -> Any:
    return CliRunner().invoke(app, [str(each) for each in arguments])


def fill_in(path: Path, label: int) -> None:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row.update({axis: str(label) for axis in Axis if row[axis] == ""})
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def test_from_verdicts_to_corrected_rates(tmp_path: Path) -> None:
    benchmark = released.read(small.write(tmp_path / "data"))
    asked = [each for each in benchmark.examples if each.split is Split.VALIDATION and each.stream is Stream.FORGET]
    generations, verdicts, labels = tmp_path / "po.jsonl", tmp_path / "v.jsonl", tmp_path / "labels.csv"
    write_jsonl(generations, answers(asked))
    source = ("--data", tmp_path / "data", "--generations", generations, "--verdicts", verdicts)
    assert command("judge", *source[:4], "--output", verdicts).exit_code == 0
    result = command("agreement", "draw", *source, "--count", 8, "--output", labels)
    assert result.exit_code == 0, result.output
    assert "8 of 8 answers to label" in result.output
    nothing = command("agreement", "figures", labels, *source)
    assert nothing.exit_code == 2
    assert "no label is on any of these answers" in nothing.output
    fill_in(labels, 1)
    found = command("agreement", "figures", labels, *source)
    assert found.exit_code == 0, found.output
    assert "Judge rules@" in found.output
    assert re.search(r"\| forget \| refusal \| 8 \| 0\.\d+ \[", found.output)
    assert re.search(r"\| po \| forget \| refusal \| 8 \|", found.output)
    write_jsonl(generations, answers(asked[::-1]))
    assert command("judge", *source[:4], "--output", verdicts).exit_code == 0
    stale = command("agreement", "figures", labels, *source)
    assert "labels are on other answers" in stale.output
    assert stale.exit_code == 2


def test_old_spellings_are_answered_with_the_new_ones() -> None:
    for old, new in (
        (("calibrate", "draw", "--run", "r"), "safeeraser agreement draw --run r"),
        (("agreement", "labels.jsonl", "--judge", "rules"), "safeeraser agreement figures labels.jsonl --judge rules"),
    ):
        result = command(*old)
        assert (result.exit_code, new in " ".join(result.output.split())) == (2, True)


def test_judges_are_compared_as_a_matrix() -> None:
    populations = {
        name: population(*((Stream.FORGET, value) for value in values))
        for name, values in (("a", [1.0, 0.0, 1.0]), ("b", [1.0, 0.0, 0.0]), ("c", [1.0, 0.0, 1.0]))
    }
    lines = to_markdown([], agree(populations)).splitlines()
    assert lines[2] == "| judge | a | b | c |"
    assert [line.split(" | ")[0] for line in lines[4:7]] == ["| a", "| b", "| c"]
    assert lines[4].endswith("1.000] of 3 |")
    assert "| 1.000 [-0.0" in lines[4]  # three answers tell little


def test_what_is_missing_is_said() -> None:
    assert "give --run, or --data" in command("agreement", "draw", "--output", "x.csv").output
    assert "not a run's folder" in command("agreement", "draw", "--run", "nowhere", "--output", "x.csv").output


def test_examples_are_examples() -> None:
    assert {each.stream for each in examples(3)} == set(Stream)

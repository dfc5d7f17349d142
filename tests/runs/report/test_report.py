"""The report of a run: what it shows, and that nothing in it can do harm."""

from __future__ import annotations

import doctest
import io
import json
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from matplotlib.image import imread
from rich.console import Console

from safeeraser import text as texts
from safeeraser.metrics import MEASURES, score
from safeeraser.metrics.attacked import Outcome, Recovered
from safeeraser.records import Example, Generation, Metric, Split, Stream
from safeeraser.runs import report
from safeeraser.runs.report import costs, markdown, plot, table
from safeeraser.runs.report.answers import pick
from safeeraser.runs.report.attacks import print_outcomes
from safeeraser.text import line

NASTY = "<script>alert(1)</script> | [x](http://a.b) `code` ``` **b** $x_2$ \x1b[31mred\x1b[0m\u202e [b]r[/b]\r\n# h"
MODELS = ["vanilla", "po+pd"]


def metric(
    model: str, name: str, part: str, value: float | None, n: int = 40, group: str = "all", unscored: int = 0
) -> Metric:
    low, high = (None, None) if value is None else (max(value - 0.05, 0), min(value + 0.05, 1))
    return Metric(
        model=model, name=name, part=part, group=group, value=value, low=low, high=high, n=n, unscored=unscored
    )


def full(model: str, value: float | None) -> list[Metric]:
    return [metric(model, measure.name, measure.part.value, value) for measure in MEASURES]


def example(id: str, stream: Stream, image: Path | None = None, partner: str | None = None) -> Example:
    return Example(
        id=id, split=Split.VALIDATION, stream=stream, image=image, question="How?", answer="So.", partner=partner
    )


def printed(metrics: list[Metric], models: list[str], width: int = 120) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None, legacy_windows=False)
    report.print_table(metrics, models, console)
    text = console.file.getvalue()  # type: ignore[attr-defined]  # it is the StringIO above
    return str(text)


def html(text: str) -> str:
    return str(MarkdownIt("commonmark").enable("table").render(text))


def test_module_examples() -> None:
    for module in (costs, table, markdown, texts):
        assert doctest.testmod(module).failed == 0


def test_the_table_has_a_row_a_metric_and_a_column_a_model() -> None:
    metrics = [
        metric("vanilla", "asr", "generality", 0.975, n=240),
        metric("po+pd", "asr", "generality", 0.0, n=238, unscored=2),
        metric("po+pd", "sarr", "decoupled", None, n=0, unscored=240),
        metric("po+pd", "sarr", "decoupled", 1.0, group="category=Weapon"),
    ]
    lines = [line.split() for line in printed(metrics, MODELS).splitlines()]
    assert ["n", "vanilla", "po+pd"] in lines
    assert ["ASR", "↓", "240/238", "97.5", "[92–100]", "0.0", "[0–5]"] in lines
    assert ["2", "unscored"] in lines
    assert ["SARR", "↓", "-/0", "not", "measured", "not", "scored"] in lines
    assert ["Generality"] in lines
    assert ["Efficacy"] not in lines


def test_a_measure_that_nothing_was_asked_for_has_no_row() -> None:
    """ROUGE-L on XSTest, say, which has no answers to compare with."""
    metrics = [
        metric("vanilla", "sarr", "decoupled", 0.5),
        metric("vanilla", "rouge_l", "decoupled", None, n=0),
    ]
    assert "SARR" in printed(metrics, ["vanilla"])
    assert "ROUGE-L" not in printed(metrics, ["vanilla"])


def test_many_models_go_into_several_tables() -> None:
    models = [f"model-{number}" for number in range(9)]
    text = printed([item for model in models for item in full(model, 0.5)], models, width=80)
    assert text.count("Generality ") == 3  # three models a table
    assert all(text.count(model) == 1 for model in models)
    assert all(len(line) <= 80 for line in text.splitlines())


def test_no_metrics_no_trouble(tmp_path: Path) -> None:
    assert "95% intervals" in printed([], [])
    report.write(tmp_path, [], [], {}, commands=["safeeraser likelihood --data a\n```\n# b"])
    assert "\n    safeeraser likelihood --data a\\n```\\n# b\n" in (tmp_path / "report.md").read_text()
    assert json.loads((tmp_path / "report.json").read_text()) == {
        "models": [],
        "metrics": [],
        "differences": [],
        "failures": [],
        "costs": [],
        "provenance": {},
    }
    assert imread(tmp_path / "plot.png").size > 0


def test_the_files_hold_every_figure(tmp_path: Path) -> None:
    metrics = [
        *full("vanilla", 0.0),
        *full("po+pd", 0.8125),
        metric("po+pd", "rr", "generality", 0.25, group="subset=unseen"),
    ]
    report.write(tmp_path / "run", metrics, MODELS, {"seed": 233, "data": {"hash": "abc"}})
    content = json.loads((tmp_path / "run/report.json").read_text())
    assert [Metric(**item) for item in content["metrics"]] == metrics
    assert content["provenance"] == {"seed": 233, "data": {"hash": "abc"}}
    text = (tmp_path / "run/report.md").read_text()
    for measure in MEASURES:
        assert (
            f"| {measure.title} {'↓' if measure.better == 'low' else '↑'} | 40 | 0.0% [0.0–5.0] | 81.2% [76.2–86.2] |"
            in text
        )
        assert f"`{measure.name}`, {measure.better}er is better" in text
    assert "### Generality: RR\n\n| group | n | vanilla | po+pd |\n" in text
    assert "| subset=unseen | -/40 | not measured | 25.0% [20.0–30.0] |" in text
    assert '"hash": "abc"' in text
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["plot.png", "report.json", "report.md"]


def test_equal_input_gives_equal_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        report.write(tmp_path / name, full("po", 0.5), ["po"], {})
    for file in ("plot.png", "report.md", "report.json"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_answers_stand_side_by_side_with_their_pictures(tmp_path: Path) -> None:
    inside, outside = tmp_path / "run/pictures/a 1.png", tmp_path / "else/b.png"
    examples = [
        example("f", Stream.FORGET, outside),
        example("d", Stream.DECOUPLED, inside, partner="f"),
        example("r", Stream.RETAIN),
        example("unanswered", Stream.RETAIN),
    ]
    answers = {
        model: [
            Generation(example_id=name, sample=sample, answer=f"{model} {name} {sample}", finish="stop")
            for name in "fdr"
            for sample in (1, 0)
        ]
        for model in MODELS
    }
    report.write(tmp_path / "run", [], [*MODELS, "po"], {}, examples=examples, answers=answers)
    text = (tmp_path / "run/report.md").read_text()
    rows = [line for line in text.splitlines() if "How?" in line]
    assert rows == [
        f"| `{outside}` | forget | `How?` | `vanilla f 0` | `po+pd f 0` | *(not answered)* |",
        "| ![a 1.png](pictures/a%201.png) | decoupled | `How?` | `vanilla d 0` | `po+pd d 0` | *(not answered)* |",
        "| no picture | retain | `How?` | `vanilla r 0` | `po+pd r 0` | *(not answered)* |",
    ]


def test_the_choice_of_answers_does_not_look_at_them() -> None:
    examples = [example(f"{stream}{n}", stream, partner=f"forget{n}") for stream in Stream for n in range(20)]
    chosen = [
        pick(examples, {"m": [Generation(example_id=e.id, sample=0, answer=text, finish="stop") for e in examples]})
        for text in ("good", "")
    ]
    assert chosen[0] == chosen[1]
    pairs, retain = chosen[0][:8], chosen[0][8:]
    assert [item.stream for item in pairs] == [Stream.FORGET, Stream.DECOUPLED] * 4
    assert all(later.partner == earlier.id for earlier, later in zip(pairs[::2], pairs[1::2], strict=True))
    assert [item.stream for item in retain] == [Stream.RETAIN] * 4


@pytest.mark.parametrize("answer", [NASTY, "", " ", "a" * 1_000_000, "`" * 500, "|" * 500, "\\", "\ud800", "`", "a`"])
def test_nothing_a_model_says_does_harm(tmp_path: Path, answer: str) -> None:
    examples = [example("d", Stream.DECOUPLED, tmp_path / "a](x) <b>.png")]
    answers = {model: [Generation(example_id="d", sample=0, answer=answer, finish="stop")] for model in MODELS}
    metrics = [*full("vanilla", 0.1), *full("po+pd", 0.2)]
    report.write(tmp_path, metrics, MODELS, {"note": answer[:1000]}, examples=examples, answers=answers)
    text = (tmp_path / "report.md").read_text()
    assert len(text) < 30_000
    assert "\x1b" not in text
    page = html(text)
    assert "<script" not in page
    assert "<b>" not in page
    assert "<a " not in page
    (row,) = [line for line in page.split("<tr>") if "<code>How?</code>" in line]
    assert row.count("<td") == 5


@given(st.text(max_size=60))
def test_a_code_span_shows_the_text_as_it_is(text: str) -> None:
    page = html(markdown.table(["x", "y"], [[markdown.code(text), "end"]]))
    shown = line(text)
    assert page.count("<td") == 2
    if shown.strip():
        cell = page.partition("<td")[2].partition("<code>")[2].partition("</code>")[0]
        plain = cell.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"').replace("&amp;", "&")
        assert plain.strip() == shown.strip()


@given(st.text(max_size=60))
def test_escaped_text_has_no_markup(text: str) -> None:
    page = html(f"x {texts.markdown(text)}")
    assert page.count("<") == 2  # <p> and </p>


@pytest.mark.parametrize("name", [NASTY, "$broken_{", "x" * 500, "模型", ""])
def test_any_model_name_can_be_shown(tmp_path: Path, name: str, recwarn: pytest.WarningsRecorder) -> None:
    metrics = [*full(name, 0.5), *full("other", None)]
    report.write(tmp_path, metrics, [name, "other"], {})
    assert "\x1b[31m" not in printed(metrics, [name, "other"])
    page = html((tmp_path / "report.md").read_text())
    assert "<script" not in page
    assert page.count("<table>") == 4
    assert all("missing from font" in str(warning.message) for warning in recwarn)


def test_rich_markup_in_a_model_name_is_text() -> None:
    assert "[bold]rich[/bold]" in printed(full("[bold]rich[/bold]", 0.5), ["[bold]rich[/bold]"])


def test_a_picture_s_address_leads_to_it(tmp_path: Path) -> None:
    image = tmp_path / "ä (1)/x y.png"
    link = markdown.picture(image, tmp_path)
    assert tmp_path / unquote(link.partition("](")[2].removesuffix(")")) == image
    assert 'src="' in html(link)


def test_the_plot_shows_figures_where_they_belong(tmp_path: Path) -> None:
    metrics = [metric("m", "sarr", "decoupled", 0.2), metric("m", "asr", "generality", 0.1)]
    point = plot._point(metrics, "m")
    assert point is not None
    assert point.over_refusal == pytest.approx((20, 15, 25))
    assert point.forgotten == pytest.approx((90, 85, 95))
    assert plot._point(metrics[:1], "m") is None
    plot.draw(metrics, ["m", "gone"], tmp_path / "new/plot.png")
    assert imread(tmp_path / "new/plot.png").shape[:2] == (810, 1080)


def test_a_failed_plot_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "plot.png").write_bytes(b"old")

    def full_disk(*_: object, **__: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(plot.Figure, "savefig", full_disk)
    with pytest.raises(OSError, match="no space left"):
        plot.draw([], [], tmp_path / "plot.png")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("plot.png", b"old")]


@pytest.mark.parametrize("width", [80, 120])
def test_names_of_attacks_are_whole_at_any_width(width: int) -> None:
    figures = ("asr", "generality"), ("rr", "generality"), ("sarr", "decoupled"), ("retain_accuracy", "retain")
    found = [
        Outcome(
            attack,
            variant,
            "po+pd",
            tuple(metric("po+pd", name, part, 0.9375, n=n) for name, part in figures),
            recovered=Recovered(value=0.9375, low=0.5, high=1.0, n=n),
        )
        for attack, variant, n in (("relearn-harmful", "4x10", 16), ("universal-perturbation", "12/255", 15))
    ]
    output = io.StringIO()

    print_outcomes(found, [], Console(file=output, width=width))

    text = output.getvalue()
    assert all(name in text for name in ("relearn-harmful 4x10", "universal-perturbation 12/255", "po+pd, n 15–16"))
    assert "…" not in text
    assert text.count("93.8") == 10
    assert max(map(len, text.splitlines())) <= width


def test_scores_of_nothing_are_shown_as_not_scored() -> None:
    text = printed(score("m", [example("d", Stream.DECOUPLED)], [], []), ["m"])
    assert text.split().count("not") == sum(
        measure.part.value == "decoupled" and not measure.rare for measure in MEASURES
    )
    assert "1 unscored" in text

"""Hostile answers go through everything that judges, counts or shows answers, and do no harm anywhere."""

from __future__ import annotations

import csv
import itertools
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt
from typer.testing import CliRunner, Result

from safeeraser.cli import app
from safeeraser.judges.agreement.labels import read_labels
from safeeraser.judges.prompted import LONGEST_ANSWER
from safeeraser.records import Axis, Generation, Verdict, read_jsonl
from tests.benchmarks import small
from tests.endpoint.fake_server import Answer, Body, completion, failed, serving
from tests.hostile.answers import HOSTILE, MEGABYTE, effects, whole
from tests.judges import asked
from tests.metrics import fake_runs
from tests.metrics.test_results import answered

METHODS = ("vanilla", "po", "po+pd")
QUESTIONS = 8  # of each part
NAMES = list(HOSTILE)
LONGEST_SHOWN = 200_000  # characters that any page or command may take to show all that there is
TAGS = {"h1", "h2", "h3", "p", "ul", "li", "strong", "em", "code", "pre", "img"} | {
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
}

AXES = len(Axis)  # the last columns of a table of labels


def command(*arguments: object) -> Result:
    """Run a command; what it prints must have no effect on a terminal."""
    result = CliRunner(env={"COLUMNS": "140"}).invoke(app, [str(each) for each in arguments], prog_name="safeeraser")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert effects(result.output) == set()
    assert len(result.output) < LONGEST_SHOWN
    return result


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.write(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in which each hostile answer is given once in each part: a third of them by each model."""
    assert len(NAMES) == len(METHODS) * QUESTIONS
    root = fake_runs.write(tmp_path_factory.mktemp("hostile") / "run", data, methods=METHODS)
    for model, first in zip(METHODS, itertools.count(step=QUESTIONS), strict=False):
        said = itertools.cycle(NAMES[first : first + QUESTIONS])
        path = root / "generations" / f"{model}.jsonl"
        rows = [json.loads(line) | {"answer": HOSTILE[next(said)]} for line in path.read_text().splitlines()]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return root


@pytest.fixture(scope="module")
def reported(run: Path) -> Path:
    """The same run after its answers were judged, scored and reported."""
    assert command("report", run).exit_code == 0
    return run


def by_name(run: Path) -> Iterator[tuple[str, Generation]]:
    """Every answer with its name."""
    names = {whole(answer): name for name, answer in HOSTILE.items()}
    for model in METHODS:
        for made in read_jsonl(run / "generations" / f"{model}.jsonl", Generation):
            yield names[made.answer], made


def test_the_rules_judge_every_answer(reported: Path) -> None:
    found = {model: read_jsonl(reported / "verdicts" / f"{model}.jsonl", Verdict) for model in METHODS}
    verdicts = [each for model in METHODS for each in found[model]]
    assert len(verdicts) == len(METHODS) * QUESTIONS * (4 + 4 + 4 + 4)
    assert {each.value for each in verdicts} == {0.0, 1.0}
    assert all(len(each.reason or "") < 200 for each in verdicts)
    silent = {"nothing", "blanks", "a megabyte of one letter", "a megabyte of one word", "wide letters"}
    axes = {(each.example_id, each.axis): each.value for each in found["vanilla"]}
    for name, made in itertools.islice(by_name(reported), 4 * QUESTIONS):
        if name in silent:
            assert axes[made.example_id, Axis.MEANINGLESS] == 1, name
            assert axes[made.example_id, Axis.REFUSAL] == 0, name


def test_the_report_shows_them_as_text(reported: Path) -> None:
    text = (reported / "report.md").read_text(encoding="utf-8")
    assert effects(text) == set()
    assert len(text) < LONGEST_SHOWN
    page = MarkdownIt("commonmark").enable("table").render(text)
    assert set(re.findall(r"<(\w+)", page)) <= TAGS
    assert page.count("<img") == 1  # the plot
    (answers,) = [part for part in page.split("<h2>") if part.startswith("Example answers")]
    assert {row.count("<td") for row in answers.split("<tr>")[2:]} == {3 + len(METHODS)}
    for name in ("report.json", "metrics.json"):
        content = (reported / name).read_text(encoding="utf-8")
        assert effects(content) == set()
        json.loads(content)


@pytest.mark.parametrize("protocol", ["strict", "paper"])
def test_they_are_scored(reported: Path, tmp_path: Path, protocol: str) -> None:
    output = tmp_path / "metrics.json"
    assert command("score", reported, "--protocol", protocol, "--output", output).exit_code == 0
    overall = [
        each for each in json.loads(output.read_text()) if each["group"] == "all" and each["name"] != "name_accuracy"
    ]
    assert overall
    for metric in overall:
        assert metric["unscored"] == 0, metric
        passed_over = (
            {"vanilla": 2}.get(metric["model"], 0) if metric["part"] == "retain" else metric["model"] == "vanilla"
        )
        assert metric["n"] == QUESTIONS - (passed_over if protocol == "paper" else 0), metric
    assert command("compare", reported, "vanilla", "po", "--protocol", protocol).exit_code == 0


def test_they_are_labelled_in_a_table(reported: Path, tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    assert command("agreement", "draw", "--run", reported, "--count", 96, "--output", table).exit_code == 0
    csv.field_size_limit(2 * MEGABYTE)
    with table.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert not [cell for row in rows for cell in row[:-AXES] if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    with table.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(
            [header, *([*row[:-AXES], *("1" if cell == "" else cell for cell in row[-AXES:])] for row in rows)]
        )
    read = {(each.model, each.example.id): each.generation.answer for each in read_labels(table)}
    assert sorted(read.values()) == sorted(made.answer for _, made in by_name(reported))
    assert command("agreement", "figures", table, "--run", reported).exit_code == 0
    assert command("agreement", "figures", table).exit_code == 0


def test_they_are_labelled_on_a_page(reported: Path, tmp_path: Path) -> None:
    page = tmp_path / "labels.html"
    assert command("agreement", "draw", "--run", reported, "--count", 96, "--output", page).exit_code == 0
    text = page.read_text(encoding="utf-8")
    assert effects(text) == set()
    assert text.count("</script") == 2  # the data's and the page's own
    assert "<img" not in text
    rows = json.loads(text.partition('id="data">')[2].partition("</script>")[0])["rows"]
    assert sorted(row["said"] for row in rows) == sorted(made.answer for _, made in by_name(reported))


def judged_by(run: Path, data: Path, output: Path, judge: str, answer: Callable[[Body], Answer]) -> list[Body]:
    """Let a model behind a server judge every answer that is not blank; what it was asked."""
    bodies = []
    for model in METHODS:
        with serving(answer) as server:
            generations = run / "generations" / f"{model}.jsonl"
            options = ["--judge", judge, f"url={server.url}", "model=judge"]
            verdicts = output / f"{model}.jsonl"
            assert (
                command("judge", "--data", data, "--generations", generations, "--output", verdicts, *options).exit_code
                == 0
            )
            bodies += server.bodies
    return bodies


def test_a_judging_model_sees_them_as_they_are(reported: Path, data: Path, tmp_path: Path) -> None:
    bodies = judged_by(reported, data, tmp_path, "endpoint", asked.right)
    shown = {asked.task(body)[1] for body in bodies}
    assert shown == {whole(answer)[:LONGEST_ANSWER] for answer in HOSTILE.values() if answer.strip()}
    verdicts = [each for model in METHODS for each in read_jsonl(tmp_path / f"{model}.jsonl", Verdict)]
    assert len(verdicts) == len(METHODS) * QUESTIONS * (3 + 3 + 3 + 3)
    assert None not in {each.value for each in verdicts}
    assert max(len(str(body)) for body in bodies) < LONGEST_SHOWN


def test_llama_guard_sees_them_in_a_turn_of_their_own(reported: Path, data: Path, tmp_path: Path) -> None:
    bodies = judged_by(reported, data, tmp_path, "llama-guard", lambda _: completion("safe"))
    assert {len(body["messages"]) for body in bodies} == {2}
    shown = {body["messages"][1]["content"] for body in bodies}
    assert shown == {whole(answer)[:LONGEST_ANSWER] for answer in HOSTILE.values() if answer.strip()}


def test_a_server_that_gives_them(data: Path, tmp_path: Path) -> None:
    """Half a surrogate pair becomes a replacement character, as in any file."""
    output, said = tmp_path / "answers.jsonl", iter(HOSTILE.values())
    options = ["--model", "judge", "--limit", len(NAMES) // 4, "--output", output]
    with serving(lambda _: completion(next(said))) as server:
        assert command("generate", "--data", data, "--server", server.url, *options).exit_code == 0
    made = sorted(each.answer for each in read_jsonl(output, Generation))
    assert made == sorted(map(whole, HOSTILE.values()))


def test_a_server_that_fails_with_them(data: Path, tmp_path: Path) -> None:
    with serving(lambda _: failed(400, "\x1b[2Jno\u202e")) as server:
        options = ["--server", server.url, "--model", "judge", "--limit", 1, "--output", tmp_path / "answers.jsonl"]
        ended = command("generate", "--data", data, *options)
    assert ended.exit_code == 3
    assert "4 times: status 400: \\x1b[2Jno\\u202e" in ended.output


def put(said: Iterator[str], keys: Callable[[dict[str, Any]], list[str]]) -> Callable[[list[small.Record]], None]:
    """Puts answers into the pairs of records, under some of their keys."""

    def change(records: list[small.Record]) -> None:
        for record in records:
            for pair in [*record["unsafe_pairs"], *(record[key] for key in record if key.startswith("Unharm"))]:
                pair |= {key: next(said) for key in keys(pair)}

    return change


def valid() -> Iterator[str]:
    """The hostile answers in turn that a file of the released layout may hold."""
    return itertools.cycle(answer for answer in HOSTILE.values() if answer == whole(answer))


def test_an_answer_file_that_holds_them(data: Path, tmp_path: Path) -> None:
    keys = ("model_response1", "sd_response", "Prediction")
    path = answered(data, tmp_path, put(valid(), lambda pair: [key for key in keys if key in pair]))
    for protocol in ("strict", "paper"):
        assert command("score", "--answers", path, "--data", data, "--protocol", protocol).exit_code == 0


def test_a_benchmark_that_holds_them(tmp_path: Path) -> None:
    keys = ("question", "model_response", "sd_response", "Question", "Prediction")
    folder = small.write(tmp_path / "data")
    small.edit(folder, put(filter(str.strip, valid()), lambda pair: [key for key in keys if key in pair]))
    assert command("data", "show", folder, "--limit", 6).exit_code == 0
    assert command("data", "check", folder).exit_code in (0, 1)

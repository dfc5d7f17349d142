"""What a run took: added up over all its starts, whole whenever it is killed, unknown where nobody noted it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from safeeraser.errors import UserError
from safeeraser.records import Cost
from safeeraser.runs import costs, pipeline
from safeeraser.runs.costs import Stage, clock, read
from safeeraser.runs.folder import RunFolder
from safeeraser.runs.report.costs import rows
from safeeraser.text import markdown
from tests.cli.test_cli import Ended
from tests.endpoint.fake_server import Answer, Body, serving
from tests.judges.asked import right
from tests.runs.pipeline.test_pipeline import stopping_at
from tests.runs.pipeline.world import World, contents
from tests.runs.report.test_pages import data

ENDLESS = """
import sys, time
from pathlib import Path
from safeeraser.runs import costs

costs.SECONDS = 0.01
with costs.clock(Path(sys.argv[1]), "judging"):
    time.sleep(600)
"""


def test_starts_add_up_also_those_that_fail(tmp_path: Path) -> None:
    file, spent = tmp_path / "costs.json", Cost(requests=7, money=1.0)

    def failing() -> None:
        nonlocal spent
        with clock(file, "judging", lambda: spent):
            spent += Cost(requests=2, counted=1, input_tokens=10, output_tokens=3)
            raise KeyboardInterrupt

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            failing()
    first = read(file)["judging"]
    with clock(file, "training po"):
        pass
    assert replace(first, seconds=0) == Cost(requests=4, counted=2, input_tokens=20, output_tokens=6)
    assert list(read(file)) == ["judging", "training po"]
    assert read(file)["judging"] == first


def test_killed_at_any_moment_the_file_is_whole_and_the_next_start_goes_on(tmp_path: Path) -> None:
    file, before = tmp_path / "costs.json", Cost()
    for _ in range(3):
        with subprocess.Popen([sys.executable, "-c", ENDLESS, str(file)]) as killed:
            while read(file).get("judging", Cost()).seconds <= before.seconds + 0.05:
                assert killed.poll() is None
            killed.kill()
        assert read(file)["judging"].seconds > before.seconds
        before = read(file)["judging"]
    with clock(file, "judging"):
        pass
    assert read(file)["judging"].seconds >= before.seconds
    assert [each.name for each in tmp_path.iterdir()] == ["costs.json"]


def test_of_several_processes_the_main_one_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    with clock(tmp_path / "costs.json", "judging"):
        pass
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[1]",
        "[" * 100_000,
        '{"judging": {"hours": 1}}',
        *(f'{{"judging": {{"seconds": {each}}}}}' for each in ("NaN", "null", "true", "1" + "0" * 400)),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "costs.json").write_text(content)
    with pytest.raises(UserError, match=r"costs\.json: cannot be read"):
        read(tmp_path / "costs.json")


def test_a_run_notes_every_stage(finished: World) -> None:
    folder = RunFolder(finished.folder / "run")
    made = costs.stages(folder, ["vanilla", "po", "po+pd"])
    assert {each.name: each.done for each in made} == {
        "training po": "2 steps",
        "training po+pd": "2 steps",
        "answers of vanilla": "16 answers",
        "answers of po": "16 answers",
        "answers of po+pd": "16 answers",
        "judging": "48 answers",
    }
    assert all(each.cost is not None and each.cost.seconds > 0 for each in made)
    assert [row[3:] for row in rows(made)] == [["–"] * 4] * 7  # rules ask nobody
    page = (folder.root / "report.md").read_text()
    assert f"| {markdown('training po+pd')} | 2 steps |" in page
    assert data(folder.root / "report.html")["costs"]["rows"] == rows(made)


def test_a_run_that_goes_on_adds_to_what_it_took(fresh: World) -> None:
    settings = fresh.settings("methods=[vanilla, po]")
    kit = fresh.kit(settings)
    with pytest.raises(KeyboardInterrupt):
        pipeline.run(settings, replace(kit, load=stopping_at(2, kit.load)), fresh.said.append)
    file = RunFolder(settings.folder).costs
    begun = read(file)
    assert set(begun) == {"training po", "answers of vanilla", "answers of po"}
    pipeline.run(settings, kit, fresh.said.append)
    found = read(file)
    assert found["answers of po"].seconds > begun["answers of po"].seconds
    assert {name: found[name] for name in ("training po", "answers of vanilla")} == {
        name: begun[name] for name in ("training po", "answers of vanilla")
    }


def without_usage(body: Body) -> Answer:
    answer = right(body)
    assert isinstance(answer.body, dict)
    return replace(answer, body={name: value for name, value in answer.body.items() if name != "usage"})


@pytest.mark.parametrize("known", [True, False])
def test_a_judge_on_a_server_has_requests_tokens_and_money(
    fresh: World, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    prices = ", input_price: 100, output_price: 1000" if known else ""
    with serving(right if known else without_usage) as server:
        judge = f"judge={{name: endpoint, model: m, url: {server.url}{prices}}}"
        fresh.run("methods=[vanilla]", judge)
        sent = len(server.bodies)
        fresh.run("methods=[vanilla]", judge)
        assert len(server.bodies) == sent
    *_, judging, together = rows(costs.stages(RunFolder(fresh.folder / "run"), ["vanilla"]))
    tokens = [f"{10 * sent:,}", f"{5 * sent:,}", f"{sent * 0.006:,.4f}"] if known else ["unknown"] * 3
    assert judging[3:] == together[3:] == [str(sent), *tokens]
    printed = Ended("run", fresh.config, "methods=[vanilla]", judge).out
    assert f"{sent} requests, {' + '.join(tokens[:2])} tokens, cost {tokens[2]}." in " ".join(printed.split())


def test_what_was_not_noted_is_unknown(finished: World, tmp_path: Path) -> None:
    """As in a folder of an older version."""
    run = shutil.copytree(finished.folder / "run", tmp_path / "run")
    (run / "costs.json").unlink()
    ended = Ended("report", run)
    assert ended.code == 0, ended.err
    assert (
        "| judging | 48 answers | unknown | unknown | unknown | unknown | unknown |" in (run / "report.md").read_text()
    )
    assert not (run / "costs.json").exists()


def test_what_is_known_of_some_is_the_least_it_may_be() -> None:
    noted = Stage("judging", "", Cost(seconds=70, requests=3, counted=2, input_tokens=9_000, output_tokens=8, priced=3))
    found = rows([noted, Stage("training po", "", None)])
    assert found[0][2:] == ["1 min 10 s", "3", "≥9,000", "≥8", "0.0000"]
    assert found[-1][2:] == ["≥1 min 10 s", "≥3", "≥9,000", "≥8", "≥0.0000"]
    assert rows([]) == []


def test_an_evaluation_notes_what_it_took(finished: World, tmp_path: Path) -> None:
    words = ["evaluate", "--data", finished.data, "--model", finished.model, "--output", tmp_path / "ev", "--limit", 2]
    words += ["generate.max_new_tokens=2", "--adapter", finished.folder / "run/models/po/adapter"]
    assert Ended(*words).code == 0
    before = contents(tmp_path / "ev")
    assert set(read(tmp_path / "ev" / "costs.json")) == {"answers of vanilla", "answers of po", "judging"}
    assert Ended(*words).code == 0
    assert contents(tmp_path / "ev") == before


def test_attacks_and_likelihoods_are_stages_of_their_run(finished: World, tmp_path: Path) -> None:
    run = shutil.copytree(finished.folder / "run", tmp_path / "run")
    measuring = ["likelihood", "--data", finished.data, "--model", finished.model, "--limit", 2]
    for _ in range(2):
        assert Ended(*measuring, "--output", run / "likelihood" / "vanilla.jsonl").code == 0
        assert Ended("attack", run, "--attack", "prefill=1", "--limit", 2).code == 0
        shown = {name: (done, time) for name, done, time, *_ in data(run / "report.html")["costs"]["rows"]}
        noted = {name: (run / name).read_bytes() for name in ("attacks/costs.json", "attacks/attacks.md")}
    assert shown["attacks"][0] == "30 answers"
    assert shown["likelihood"][0].endswith(" texts")
    assert "unknown" not in {time for _, time in shown.values()}
    assert b"| attacks | 30 answers |" in noted["attacks/attacks.md"]
    assert {name: (run / name).read_bytes() for name in noted} == noted
    assert set(json.loads(noted["attacks/costs.json"])) == {"attacks"}

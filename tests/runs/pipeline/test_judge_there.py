"""A run asks whether its judge is there before the work, and keeps what a server replied."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from safeeraser.errors import UserError
from safeeraser.runs import pipeline
from safeeraser.runs.folder import RunFolder
from tests.endpoint.fake_server import FakeServer, serving
from tests.judges.asked import right
from tests.runs.pipeline.world import World, no_model

KEY = "sk-a-secret-that-must-not-leak"
NOWHERE = "http://127.0.0.1:9/v1"


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def endpoint(url: str) -> str:
    return f"{{name: endpoint, model: m, url: {url}}}"


@pytest.mark.parametrize(
    "judging", [f"judge={endpoint(NOWHERE)}", f"judges=[rules, {endpoint(NOWHERE)}]"], ids=["one", "vote"]
)
def test_a_judge_that_is_not_there_stops_a_run_before_anything(fresh: World, judging: str) -> None:
    settings = fresh.settings(judging)
    with pytest.raises(UserError, match="no server answers there"):
        pipeline.run(settings, replace(fresh.kit(settings), load=no_model), fresh.said.append)
    assert not settings.folder.exists()


def test_a_finished_run_needs_no_judge_and_a_report_made_again_asks_nothing_twice(fresh: World) -> None:
    with serving(right) as server:
        made = run(fresh, server)
        asked = len(server.bodies)
        assert asked > 0
        settings = fresh.settings("methods=[vanilla]", f"judge={endpoint(server.url)}")
        place = RunFolder(settings.folder)
        place.verdicts("vanilla").unlink()
        kit = fresh.kit(settings)
        assert pipeline.report_again(settings, kit, place, fresh.said.append) == made
        assert len(server.bodies) == asked
    assert pipeline.run(settings, replace(kit, load=no_model), fresh.said.append) == made
    assert str(place.replies) not in place.config.read_text()
    assert not any(KEY.encode() in file.read_bytes() for file in files(settings.folder))


def run(world: World, server: FakeServer) -> list[object]:
    return [*world.run("methods=[vanilla]", f"judge={endpoint(server.url)}")]


def files(folder: Path) -> list[Path]:
    found = [path for path in folder.rglob("*") if path.is_file()]
    assert folder / "judge-replies.jsonl" in found
    return found

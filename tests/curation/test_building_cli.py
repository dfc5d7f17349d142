"""The command line of `data build` and `data prompts`: mistakes end with a message, and nothing is overwritten."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from safeeraser.cli import app
from tests.curation.world import draw


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["data", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, " ".join(result.output.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["safe.pictures=safe", "writer.knd=local"], "unknown key 'knd'; did you mean 'kind'"),
        (["safe.pictures=safe", "model=tny"], "unknown model 'tny'; did you mean 'tiny'"),
        (["safe.pictures=safe", "gate.judge=rulez"], "unknown judge 'rulez'; did you mean 'rules'"),
        (["safe.pictures=safe", "gate.keep=[cutt]"], "unknown rule 'cutt'; did you mean 'cut'"),
        (["safe={}"], "set safe.pictures (a folder or list) or safe.model"),
        ([], "safe: is needed"),
        (["safe.pictures=safe", "writer.kind=local"], "kind local needs a model"),
        (["safe.pictures=safe", "writer={kind: endpoint, model: m}"], "needs endpoint.url"),
        (["safe.pictures=safe", "splits={train: 0.9}"], "the shares come to 1.2, not to 1"),
        (["safe.pictures=safe", "--scale", "0.1"], "--scale is for benchmarks that come with the package"),
        (["safe.pictures=none"], "none: no such folder or list of pictures"),
        (["safe.pictures=safe", "prompts=none"], "none: no such folder of prompts"),
        (["safe.pictures=safe", "--settings", "none.yaml"], "none.yaml: No such file"),
    ],
)
def test_every_mistake_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    draw(tmp_path, each=1)
    code, output = run("build", "out", "--images", "images", *arguments)
    assert (code, message in output) == (2, True), output
    assert not (tmp_path / "out").exists()


def test_a_settings_file_and_an_estimate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    draw(tmp_path, each=1)
    server = "{url: 'http://127.0.0.1:9/v1', input_price: 1, output_price: 1}"
    (tmp_path / "build.yaml").write_text(
        f"images: images\nsafe: {{pictures: safe}}\nwriter: {{kind: endpoint, model: m, endpoint: {server}}}\n"
    )
    code, output = run("build", "out", "--settings", "build.yaml", "questions.forget=1", "--estimate")
    assert code == 0
    assert "requests to the writer │ 18" in output
    assert "answers in all, of the model to be unlearned │ 36" in output
    assert not (tmp_path / "out.work").exists()


def test_prompts_are_written_once(tmp_path: Path) -> None:
    assert run("prompts", tmp_path / "mine")[0] == 0
    before = {path.name: path.read_text() for path in (tmp_path / "mine").iterdir()}
    assert "refusals.txt" in before
    code, output = run("prompts", tmp_path / "mine")
    assert code == 2
    assert "exists already" in output
    assert {path.name: path.read_text() for path in (tmp_path / "mine").iterdir()} == before


def test_the_shipped_benchmark_is_built_as_before(tmp_path: Path) -> None:
    code, output = run("build", tmp_path / "icons", "--scale", "0.001")
    assert code == 0
    assert "validation/forget" in output
    code, output = run("build", tmp_path / "more", "--benchmark", "iconz")
    assert code == 2
    assert "did you mean 'icons'" in output
